import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connectAll } from '../../src/host/pool.js';
import type { Host } from '../../src/host/types.js';

const PORT = 2222;

/** Real OpenSSH servers need root, and mount namespaces so that each has files of its own. */
export const SSHD_MISSING =
  process.platform !== 'linux' || process.getuid?.() !== 0
    ? 'needs root on Linux'
    : ['/usr/sbin/sshd', '/usr/bin/unshare'].find((path) => !existsSync(path));

export interface SshdFleet {
  /** Connected; none where `connect` is false. */
  hosts: Host[];
  addresses: string[];
  port: number;
  identityFile: string;
  fingerprint: string;
  close: () => Promise<void>;
}

export interface FleetOptions {
  /** Directories that are empty at first, and each host's own. */
  own?: readonly string[];
  /** Directories that are as this computer's at first; what a host writes there is its own. */
  copied?: readonly string[];
  /** Programs in place of this computer's, by path. */
  programs?: Readonly<Record<string, string>>;
  connect?: boolean;
}

/** OpenSSH servers with their default limits on loopback addresses, each with files of its own. */
export async function startSshdFleet(
  count: number,
  { own = [], copied = [], programs = {}, connect = true }: FleetOptions,
): Promise<SshdFleet> {
  const directory = await mkdtemp(join(tmpdir(), 'keelson-sshd-'));
  const servers: ChildProcess[] = [];
  const key = (name: string) =>
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(directory, name)]);
  await mkdir('/run/sshd', { recursive: true });
  for (const path of own) await mkdir(path, { recursive: true });
  key('host');
  key('user');
  const authorized = join(directory, 'authorized');
  await writeFile(authorized, await readFile(join(directory, 'user.pub')), { mode: 0o600 });
  const net = 2 + (process.pid % 200);
  const addresses = Array.from({ length: count }, (_, index) => `127.${net}.0.${index + 1}`);
  for (const address of addresses) {
    const config = join(directory, `${address}.conf`);
    const lines = [
      `ListenAddress ${address}:${PORT}`,
      `HostKey ${join(directory, 'host')}`,
      `AuthorizedKeysFile ${authorized}`,
      'PidFile none',
      'StrictModes no',
    ];
    await writeFile(config, `${lines.join('\n')}\n`);
    const mounts = mountLines({ own, copied, programs }, directory);
    // Without this computer's own ~/.bashrc, which bash would read for every command.
    const start = `[ -e ~/.bashrc ] && mount --bind /dev/null ~/.bashrc; ${mounts} exec /usr/sbin/sshd -D -f "$1"`;
    servers.push(spawn('unshare', ['--mount', 'sh', '-c', start, 'sh', config], { stdio: 'ignore' }));
  }
  const stop = async () => {
    for (const server of servers) server.kill();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await Promise.all(addresses.map(listening));
    const [, fingerprint = ''] = execFileSync('ssh-keygen', ['-lf', join(directory, 'host.pub')])
      .toString()
      .split(' ');
    const identityFile = join(directory, 'user');
    const connected = await connectAll(
      (connect ? addresses : []).map((address, index) => ({
        name: `w${index + 1}`,
        ssh: {
          address,
          port: PORT,
          user: 'root',
          identityFile,
          knownHostsFiles: [],
          hostKeyFingerprint: fingerprint,
          jumpHosts: [],
          agent: false,
          useSshConfig: false,
        },
      })),
    );
    const hosts = [...connected.values()];
    const close = async () => {
      await Promise.all(hosts.map((host) => host.close()));
      await stop();
    };
    return { hosts, addresses, port: PORT, identityFile, fingerprint, close };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Shell text that gives a mount namespace its own files; what is written lies in its memory. */
function mountLines({ own, copied, programs }: Required<Omit<FleetOptions, 'connect'>>, directory: string) {
  const scratch = join(directory, 'scratch');
  const layers = copied.flatMap((path, index) => {
    const layer = `${scratch}/${index}`;
    return [
      `mkdir -p ${layer}/upper ${layer}/work`,
      `mount -t overlay overlay -o lowerdir=${path},upperdir=${layer}/upper,workdir=${layer}/work ${path}`,
    ];
  });
  const files = Object.entries(programs).map(
    ([path, text]) =>
      `cat > ${path}.new <<'END' && chmod 755 ${path}.new && mv ${path}.new ${path}\n${text}\nEND\n`,
  );
  return [
    `mkdir -p ${scratch}; mount -t tmpfs tmpfs ${scratch} || exit 1;`,
    ...layers.map((line) => `${line} || exit 1;`),
    ...own.map((path) => `mkdir -p ${path}; mount -t tmpfs tmpfs ${path} || exit 1;`),
    ...files,
  ].join(' ');
}

async function listening(address: string): Promise<void> {
  for (let tries = 0; tries < 300; tries += 1) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = createConnection(PORT, address, () => resolve(true));
      socket.on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    if (open) return;
    await delay(50);
  }
  throw new Error(`${address} does not listen`);
}
