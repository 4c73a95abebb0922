#!/usr/bin/env zx
// How long an upgrade by a minor takes with three control planes and two workers, and where the time goes. Needs root on
// Linux, and the bundles of both versions. Usage: npx zx bench/upgrade.mjs [--from v1.35.4] [--to v1.36.3] [--runs 1]
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { $, argv } from 'zx';
import { CLI } from './dist.mjs';
import { keelson } from './keelson.mjs';
import { spread } from './statistics.mjs';

const { from = 'v1.35.4', to = 'v1.36.3', runs = 1, name = 'benchup' } = argv;
const directory = await mkdtemp(join(tmpdir(), 'keelson-bench-'));
const shell = $({ cwd: directory, quiet: true });
const down = () => shell`node ${CLI} lab down --name ${name}`;
process.once('SIGINT', () => down().finally(() => process.exit(130)));

/** Seconds from the command's start until the last task that matches has finished. */
function lastOf(events, since, matches) {
  const times = events
    .filter((event) => event.type === 'task-finished' && matches(event))
    .map(({ at }) => Date.parse(at) - since);
  return Math.max(...times) / 1000;
}

async function once() {
  await down();
  const machines = ['--control-planes', 3, '--workers', 2, '--endpoint', 'keepalived-haproxy'];
  await shell`node ${CLI} lab up --name ${name} --kubernetes-version ${from} ${machines}`;
  await shell`sync`;
  const clusterFile = join(directory, '.keelson', 'lab', name, 'cluster.yaml');
  const since = Date.now();
  const { code, ms, said, events } = await keelson(
    [
      'upgrade',
      'apply',
      '--to',
      to,
      '-c',
      clusterFile,
      '--yes',
      '--snapshot-dir',
      directory,
      '--log-format',
      'json',
    ],
    { log: join(directory, 'log') },
  );
  if (code !== 0) throw new Error(`keelson upgrade apply exited with ${code}\n${said.slice(-2000)}`);
  const kubelet = (host) => (event) => event.host === host && event.phase === 'kubelet/install';
  const result = {
    staged: lastOf(events, since, ({ phase }) => phase === 'upgrade/stage' || phase.startsWith('images/')),
    ...Object.fromEntries(
      ['cp1', 'cp2', 'cp3', 'w1', 'w2'].map((host) => [host, lastOf(events, since, kubelet(host))]),
    ),
    returned: ms / 1000,
  };
  console.log(
    Object.entries(result)
      .map(([what, seconds]) => `${what} ${seconds.toFixed(1)}`)
      .join('  '),
  );
  return result;
}

try {
  const results = [];
  for (let run = 0; run < runs; run += 1) results.push(await once());
  const { median, min, max } = spread(
    results.map(({ returned }) => returned),
    1,
  );
  console.log(`${from} → ${to} on 3+2: ${median} s (${min}–${max})`);
} finally {
  await down();
  await rm(directory, { recursive: true, force: true });
}
