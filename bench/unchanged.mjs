// What keelson costs when there is nothing to do: plan on an unchanged cluster, and its mere start.
import { execFile } from 'node:child_process';
import { loadavg } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { CLI } from './dist.mjs';
import { keelson } from './keelson.mjs';
import { spread } from './statistics.mjs';

const PLANS = 5;
/** A cluster is busy for a while after it was made. */
const SETTLING_MS = 20_000;
const STARTS = 10;

/**
 * `keelson plan`, several times, once the cluster has settled: wall time, commands and channels of the busiest
 * host, API requests, peak memory in MB.
 */
export async function measurePlan({ clusterFile, log }) {
  await delay(SETTLING_MS);
  const loadBefore = Number(loadavg()[0].toFixed(2));
  const runs = [];
  for (let index = 0; index < PLANS; index += 1) {
    const run = await keelson(['plan', '-c', clusterFile, '--detailed-exitcode'], { log });
    if (run.code !== 0 && run.code !== 10)
      throw new Error(`keelson plan exited with ${run.code}\n${run.said}`);
    runs.push(run);
  }
  const { commands, channels, apiRequests } = runs[0].probe;
  const most = (byHost) => Math.max(0, ...Object.values(byHost));
  return {
    loadBefore,
    changes: runs.some(({ code }) => code === 10),
    ms: spread(runs.map(({ ms }) => ms)),
    commandsPerHost: most(commands),
    forwardedChannels: most(channels),
    apiRequests,
    peakMB: spread(runs.map(({ probe }) => probe.peakMB)),
  };
}

/** `keelson --version`, and for comparison node with nothing to do. */
export async function measureStart() {
  return { versionMs: await timed([CLI, '--version']), nodeMs: await timed(['-e', '0']) };
}

async function timed(args) {
  const times = [];
  for (let index = 0; index < STARTS; index += 1) {
    const since = performance.now();
    await promisify(execFile)(process.execPath, args);
    times.push(performance.now() - since);
  }
  return spread(times);
}
