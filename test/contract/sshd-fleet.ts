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
  hosts: Host[];
  addresses: string[];
  close: () => Promise<void>;
}

/** OpenSSH servers with their default limits on loopback addresses; `own` directories are empty and theirs alone. */
export async function startSshdFleet(count: number, own: readonly string[]): Promise<SshdFleet> {
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
    const mounts = own.map((path) => `mount -t tmpfs tmpfs ${path} && `).join('');
    // Without this computer's own ~/.bashrc, which bash would read for every command.
    const start = `[ -e ~/.bashrc ] && mount --bind /dev/null ~/.bashrc; ${mounts}exec /usr/sbin/sshd -D -f "$1"`;
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
    const connected = await connectAll(
      addresses.map((address, index) => ({
        name: `w${index + 1}`,
        ssh: {
          address,
          port: PORT,
          user: 'root',
          identityFile: join(directory, 'user'),
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
    return { hosts, addresses, close };
  } catch (error) {
    await stop();
    throw error;
  }
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
