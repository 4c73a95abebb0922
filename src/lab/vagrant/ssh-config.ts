import { KeelsonError } from '../../errors/keelson-error.js';
import { knownHostsName } from '../../host/known-hosts.js';

/** How Vagrant logs in to a machine. */
export interface VagrantLogin {
  /** Name of the machine in the Vagrantfile. */
  name: string;
  address: string;
  port: number;
  user: string;
  /** Absolute path of the private key. */
  identityFile: string;
}

/**
 * Machines in the output of `vagrant ssh-config`, in its order. Where Vagrant offers several keys, the first.
 * Errors: LAB where a machine lacks what a login needs.
 */
export function parseVagrantSshConfig(text: string): VagrantLogin[] {
  const machines: { name: string; values: Map<string, string> }[] = [];
  for (const line of text.split('\n')) {
    const [, keyword = '', rest = ''] = /^\s*(\w+)\s+(.*?)\s*$/.exec(line) ?? [];
    const value = /^"(.*)"$/.exec(rest)?.[1] ?? rest;
    if (keyword === 'Host') machines.push({ name: value, values: new Map() });
    else if (keyword !== '') {
      const values = machines.at(-1)?.values;
      if (values?.has(keyword) === false) values.set(keyword, value);
    }
  }
  return machines.map(({ name, values }) => {
    const address = values.get('HostName') ?? '';
    const identityFile = values.get('IdentityFile') ?? '';
    if (address === '' || identityFile === '') {
      throw new KeelsonError('LAB', `vagrant ssh-config does not say how to log in to ${name}`, {
        hint: 'keelson logs in with a key: see config.ssh in the Vagrantfile',
        details: { output: text.slice(0, 2000) },
      });
    }
    const user = values.get('User') ?? 'vagrant';
    return { name, address, port: Number(values.get('Port') ?? 22), user, identityFile };
  });
}

/**
 * known_hosts of one machine, from the public host keys that it has (`type key comment` lines).
 * @returns lines in the order of the keys; '' without any
 */
export function knownHostsOf(login: Pick<VagrantLogin, 'address' | 'port'>, publicKeys: string): string {
  const host = knownHostsName(login.address, login.port);
  return publicKeys
    .split('\n')
    .flatMap((line) => {
      const [type = '', key = ''] = line.trim().split(/\s+/);
      return /^(ssh-|ecdsa-)/.test(type) && key !== '' ? [`${host} ${type} ${key}\n`] : [];
    })
    .join('');
}
