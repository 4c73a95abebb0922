#!/usr/bin/env zx
// What it takes to bring the same data to four machines over a slow link of the operator's: one copy to one of them,
// then all of them along a chain. Needs root on Debian (the lab does), and tc. After npm run build.
// Usage: npx zx bench/distribution.mjs [--megabytes 1000] [--mbit 100] [--workers 3]
import { createHash, randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { $, argv } from 'zx';
import { built } from './dist.mjs';
import { lab } from './machines.mjs';

const { megabytes = 1000, mbit = 100, workers = 3 } = argv;
const NAME = 'distribution';
const BLOBS = 10;
const DIRECTORY = '/var/lib/keelson/delivered';
$.quiet = true;

const directory = await mkdtemp(join(tmpdir(), 'keelson-distribution-'));
const machines = lab({ name: NAME, directory, controlPlanes: 1, workers });
const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;
let bridge;

async function blobs() {
  const made = [];
  for (let index = 0; index < BLOBS; index += 1) {
    const bytes = randomBytes(Math.round((megabytes * 1e6) / BLOBS));
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const file = join(directory, sha256);
    await writeFile(file, bytes);
    made.push({ sha256, size: bytes.length, file });
  }
  return made;
}

/** Bytes that this machine has sent to the lab's network so far. */
const sent = async () => Number(await readFile(`/sys/class/net/${bridge}/statistics/tx_bytes`, 'utf8'));

async function measured(work) {
  const [bytes, began] = [await sent(), performance.now()];
  await work();
  return { ms: performance.now() - began, bytes: (await sent()) - bytes };
}

const [{ connectAll }, { loadClusterConfig }, { distribute }, { measureLink, choosesChain }] =
  await Promise.all(
    ['host/pool.js', 'config/load.js', 'bundle/distribute/distribute.js', 'bundle/distribute/link.js'].map(
      built,
    ),
  );
let connected = new Map();
try {
  const data = await blobs();
  const size = data.reduce((sum, blob) => sum + blob.size, 0);
  await machines.fresh();
  const config = await loadClusterConfig(machines.clusterFile, { homeDir: directory, env: process.env });
  connected = await connectAll(config.hosts);
  const hosts = config.hosts.map(({ name, nodeIP }) => ({ host: connected.get(name), address: nodeIP }));
  // The way to a node is the bridge's own; nodes reach each other through its ports.
  const route = (await $`ip -o route get ${hosts[0].address}`).stdout;
  bridge = / dev (\S+)/.exec(route)[1];
  const { signal } = new AbortController();
  setMaxListeners(0, signal);
  const load = { hosts: hosts.length, total: size * hosts.length, distinct: size };
  const unshaped = await measureLink([...connected.values()], load, signal);
  await $`tc qdisc add dev ${bridge} root tbf rate ${mbit}mbit burst 128k latency 100ms`;

  const [first] = hosts;
  const one = await measured(() =>
    first.host.put(
      data.map(({ sha256, size: bytes, file }) => ({
        path: `/var/lib/one-copy/${sha256}`,
        mode: 0o600,
        content: { localPath: file, size: bytes, sha256 },
      })),
    ),
  );
  await first.host.remove(['/var/lib/one-copy']);
  const link = await measureLink([...connected.values()], load, signal);
  const all = await measured(async () => {
    await measureLink([...connected.values()], load, signal);
    const delivery = distribute({
      wants: hosts.map((host) => ({ ...host, blobs: data })),
      directory: DIRECTORY,
      signal,
      onLeftOut: (host, reason) => console.log(`${host.name} was left out: ${reason}`),
    });
    const names = data.map(({ sha256 }) => sha256);
    await Promise.all(hosts.map(({ host }) => delivery.arrived(host.name, names)));
    await delivery.close();
  });
  for (const { host } of hosts) {
    const { stdout } = await host.exec(['sh', '-c', `cd ${DIRECTORY} && sha256sum *`]);
    const right = stdout
      .toString()
      .trim()
      .split('\n')
      .filter((line) => /^(\w{64}) {2}\1$/.test(line)).length;
    if (right !== data.length) throw new Error(`${host.name} has ${right} of ${data.length} blobs`);
  }
  const rate = ({ bytesPerSecond }) => `${Math.round(bytesPerSecond / 1e6)} MB/s`;
  console.log(
    `link as measured: ${rate(unshaped)} (a chain: ${choosesChain(load, unshaped)}), shaped to ${mbit} Mbit/s: ${rate(link)} (a chain: ${choosesChain(load, link)})`,
  );
  console.log(
    `one copy of ${Math.round(size / 1e6)} MB to one host: ${seconds(one.ms)}, ${Math.round(one.bytes / 1e6)} MB sent`,
  );
  console.log(
    `${hosts.length} hosts by a chain: ${seconds(all.ms)} (${(all.ms / one.ms).toFixed(2)} of one copy), ${Math.round(all.bytes / 1e6)} MB sent (${(all.bytes / size).toFixed(2)} of the data)`,
  );
} finally {
  await Promise.all([...connected.values()].map((host) => host.close()));
  if (bridge !== undefined) await $({ nothrow: true })`tc qdisc del dev ${bridge} root`;
  await machines.down();
  await rm(directory, { recursive: true, force: true });
}
process.exit(0);
