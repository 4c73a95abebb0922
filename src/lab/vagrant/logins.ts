import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KeelsonError } from '../../errors/keelson-error.js';
import { userFiles, writeKnownHosts } from '../keys.js';
import { run } from '../run.js';
import { type Environment, vagrant } from './command.js';
import { knownHostsOf, parseVagrantSshConfig, type VagrantLogin } from './ssh-config.js';
import type { VagrantNode, VagrantState } from './state.js';

interface Lab {
  directory: string;
  state: VagrantState;
  env: Environment;
}

const HOST_KEYS = 'cat /etc/ssh/ssh_host_*_key.pub';

/**
 * Asks Vagrant how to log in to its running machines, and the machines for their host keys over the very
 * connection that Vagrant itself uses; that connection, within this computer, is what the keys rest on. Writes
 * known_hosts, keeping the lines of machines that were not asked.
 * @param only one machine; default all
 * @returns the lab's nodes with their logins
 */
export async function readLogins(
  lab: Lab,
  knownHosts: string,
  options: { only?: string; signal?: AbortSignal | undefined } = {},
): Promise<{ nodes: VagrantNode[]; knownHosts: string }> {
  const { signal } = options;
  const text = await vagrant(lab, ['ssh-config', ...(options.only === undefined ? [] : [options.only])], {
    signal,
  });
  const sshConfig = join(lab.directory, 'ssh-config');
  await writeFile(sshConfig, `${text.trimEnd()}\n`, { mode: 0o644 });
  const logins = new Map(parseVagrantSshConfig(text).map((login) => [login.name, login]));
  const nodes = lab.state.nodes.map((node) => {
    const login = logins.get(node.name);
    if (login === undefined) return node;
    const { name: _name, ...rest } = login;
    return { ...node, login: rest };
  });
  const asked = await Promise.all(
    [...logins.values()].map(async (login) => {
      const keys = await run(
        [
          'ssh',
          '-F',
          sshConfig,
          '-o',
          'BatchMode=yes',
          '-o',
          'ConnectTimeout=20',
          login.name,
          '--',
          HOST_KEYS,
        ],
        { signal, env: lab.env },
      );
      const lines = knownHostsOf(login, keys);
      if (lines === '') throw noKeys(login);
      return [hostField(lines), lines] as const;
    }),
  );
  const current = new Set(asked.map(([host]) => host));
  const stays = knownHosts.split('\n').filter((line) => line !== '' && !current.has(hostField(line)));
  const merged = [...stays.map((line) => `${line}\n`), ...asked.map(([, lines]) => lines)].join('');
  await writeKnownHosts(userFiles(lab.directory).knownHosts, merged);
  return { nodes, knownHosts: merged };
}

const hostField = (line: string) => line.split(' ')[0] ?? '';

function noKeys(login: VagrantLogin): KeelsonError {
  return new KeelsonError('LAB', `${login.name} has no host keys in /etc/ssh`, {
    host: login.name,
    hint: 'make them with ssh-keygen -A on the machine',
  });
}
