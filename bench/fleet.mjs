#!/usr/bin/env zx
// Many hosts at once: real OpenSSH servers with their default limits on loopback addresses, and what it takes to
// connect to all of them and read their facts. Needs root on Linux, and sshd. After npm run build.
// Usage: npx zx bench/fleet.mjs [--hosts 200] [--runs 3]
import { execFileSync, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { argv } from 'zx';
import { built } from './dist.mjs';

const { hosts: count = 200, runs = 3 } = argv;
const PORT = 2222;
const directory = await mkdtemp(join(tmpdir(), 'keelson-fleet-'));
const addressOf = (index) => `127.1.${Math.floor(index / 250)}.${(index % 250) + 1}`;
const servers = [];

function key(file) {
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file]);
}

async function start() {
  await mkdir('/run/sshd', { recursive: true });
  key(join(directory, 'host'));
  key(join(directory, 'user'));
  await writeFile(join(directory, 'authorized'), await readFile(join(directory, 'user.pub')), {
    mode: 0o600,
  });
  for (let index = 0; index < count; index += 1) {
    const config = join(directory, `sshd-${index}.conf`);
    await writeFile(
      config,
      `ListenAddress ${addressOf(index)}:${PORT}
HostKey ${join(directory, 'host')}
AuthorizedKeysFile ${join(directory, 'authorized')}
PidFile none
StrictModes no
`,
    );
    // Without this computer's own ~/.bashrc, which bash would read for every command.
    const start = '[ -e ~/.bashrc ] && mount --bind /dev/null ~/.bashrc; exec /usr/sbin/sshd -D -f "$1"';
    servers.push(spawn('unshare', ['--mount', 'sh', '-c', start, 'sh', config], { stdio: 'ignore' }));
  }
  await Promise.all(servers.map((_server, index) => listening(addressOf(index))));
}

async function listening(address) {
  for (let tries = 0; tries < 600; tries += 1) {
    const open = await new Promise((resolve) => {
      const socket = createConnection(PORT, address, () => resolve(true));
      socket.on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    if (open) return;
    await delay(100);
  }
  throw new Error(`${address} does not listen`);
}

try {
  await start();
  const { connectAll } = await built('host/pool.js');
  const fingerprint = execFileSync('ssh-keygen', ['-lf', join(directory, 'host.pub')])
    .toString()
    .split(' ')[1];
  const hosts = servers.map((_server, index) => ({
    name: `w${index}`,
    ssh: {
      address: addressOf(index),
      port: PORT,
      user: 'root',
      identityFile: join(directory, 'user'),
      knownHostsFiles: [],
      hostKeyFingerprint: fingerprint,
      jumpHosts: [],
      agent: false,
      useSshConfig: false,
    },
  }));
  for (let run = 0; run < runs; run += 1) {
    const began = performance.now();
    const connected = await connectAll(hosts);
    const between = performance.now();
    const facts = await Promise.all([...connected.values()].map((host) => host.facts()));
    const done = performance.now();
    const seconds = (from, to) => ((to - from) / 1000).toFixed(2);
    console.log(
      `${facts.length} hosts: connected ${seconds(began, between)} s, facts ${seconds(between, done)} s, together ${seconds(began, done)} s; ${Math.round(process.memoryUsage.rss() / 2 ** 20)} MiB`,
    );
    await Promise.all([...connected.values()].map((host) => host.close()));
  }
} finally {
  for (const server of servers) server.kill();
  await rm(directory, { recursive: true, force: true });
}
process.exit(0);
