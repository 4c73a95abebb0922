import { KeelsonError } from '../errors/keelson-error.js';
import {
  addKnownHost,
  checkHostKey,
  entriesOf,
  fingerprint,
  type HostKeyAlgorithm,
  hostKeyType,
  type KnownHost,
  knownHostsName,
  loadKnownHosts,
  preferredAlgorithms,
} from './known-hosts.js';
import type { ConnectEvent } from './settings.js';

export interface HostKeyPolicy {
  /** Name of the host in the inventory, for events and errors. */
  name: string;
  address: string;
  port: number;
  knownHostsFiles: readonly string[];
  /** `SHA256:…`: only this key is accepted and known_hosts is not read. */
  pin?: string | undefined;
  acceptNew: boolean;
  onEvent?: ((event: ConnectEvent) => void) | undefined;
}

export interface HostKeyCheck {
  algorithms: HostKeyAlgorithm[];
  /** Resolves where the key is trusted, else rejects with HOST_KEY. */
  verify(key: Buffer): Promise<void>;
}

/** Prepares the check of one host's key: reads known_hosts once. */
export async function prepareHostKeyCheck(policy: HostKeyPolicy): Promise<HostKeyCheck> {
  const entries = policy.pin === undefined ? await loadKnownHosts(policy.knownHostsFiles) : [];
  return {
    algorithms: preferredAlgorithms(entries, policy.address, policy.port),
    async verify(key) {
      if (policy.pin !== undefined) return verifyPin(policy, policy.pin, key);
      const verdict = checkHostKey(entries, policy.address, policy.port, key);
      if (verdict === 'match') return;
      if (verdict === 'unknown' && policy.acceptNew) return acceptNew(policy, key);
      throw refusal(policy, verdict, entriesOf(entries, policy.address, policy.port), key);
    },
  };
}

function verifyPin(policy: HostKeyPolicy, pin: string, key: Buffer): void {
  const shown = fingerprint(key);
  if (shown === pin.replace(/=+$/, '')) return;
  throw new KeelsonError(
    'HOST_KEY',
    `${policy.address} showed the ${hostKeyType(key)} key ${shown}, but ${pin} is pinned`,
    {
      host: policy.name,
      hint: `run \`ssh-keygen -lf /etc/ssh/ssh_host_${fileType(key)}_key.pub\` on the machine's own console; pin that fingerprint if it is what was shown`,
      details: { shown, pinned: pin },
    },
  );
}

async function acceptNew(policy: HostKeyPolicy, key: Buffer): Promise<void> {
  const file = policy.knownHostsFiles[0];
  if (file === undefined) {
    throw new KeelsonError('CONFIG', 'there is no known_hosts file to add a new host key to', {
      host: policy.name,
      hint: 'set ssh.knownHostsFile',
    });
  }
  await addKnownHost(file, policy.address, policy.port, key);
  policy.onEvent?.({
    type: 'host-key-accepted',
    host: policy.name,
    address: knownHostsName(policy.address, policy.port),
    keyType: hostKeyType(key),
    fingerprint: fingerprint(key),
    file,
  });
}

function refusal(
  policy: HostKeyPolicy,
  verdict: 'mismatch' | 'revoked' | 'unknown',
  about: readonly KnownHost[],
  key: Buffer,
): KeelsonError {
  const shown = fingerprint(key);
  const name = knownHostsName(policy.address, policy.port);
  const type = hostKeyType(key);
  const details = {
    verdict,
    shown,
    keyType: type,
    known: about.map((entry) => `${entry.file}:${entry.line} ${entry.keyType} ${fingerprint(entry.key)}`),
  };
  if (verdict === 'revoked') {
    return new KeelsonError('HOST_KEY', `the ${type} key ${shown} of ${name} is marked @revoked`, {
      host: policy.name,
      details,
      hint: 'give the machine new host keys; whoever has the revoked key can pose as it',
    });
  }
  if (verdict === 'mismatch') {
    const same = about.find((entry) => entry.marker === null && entry.keyType === type) ?? about[0];
    const where = same === undefined ? '' : ` (${fingerprint(same.key)} in ${same.file}:${same.line})`;
    return new KeelsonError(
      'HOST_KEY',
      `${name} showed the ${type} key ${shown}, not the known one${where}`,
      {
        host: policy.name,
        details,
        hint: `either somebody is in between, or the machine was reinstalled: compare fingerprints on its console, then remove the old key with \`ssh-keygen -R '${name}'${same === undefined ? '' : ` -f ${same.file}`}\``,
      },
    );
  }
  const authority = about.some((entry) => entry.marker === 'cert-authority')
    ? ' (@cert-authority lines are not supported: add the plain key)'
    : '';
  const file = policy.knownHostsFiles[0] ?? '~/.ssh/known_hosts';
  const port = policy.port === 22 ? '' : ` -p ${policy.port}`;
  return new KeelsonError(
    'HOST_KEY',
    `${name} is not in known_hosts; it showed the ${type} key ${shown}${authority}`,
    {
      host: policy.name,
      details,
      hint: `run \`ssh-keyscan${port} ${policy.address} >> ${file}\`, after comparing the fingerprint with the machine's console`,
    },
  );
}

function fileType(key: Buffer): string {
  const type = hostKeyType(key);
  if (type.startsWith('ecdsa')) return 'ecdsa';
  return type === 'ssh-rsa' ? 'rsa' : 'ed25519';
}
