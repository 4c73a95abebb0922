#!/usr/bin/env zx
// keelson beside a careful kubeadm script, on the same machines and bundle, taking turns; and what plan costs.
// docs/benchmarks.md says what is measured. Needs root on Linux.
// Usage: npm run bench -- [--runs 3] [--control-planes 1] [--workers 2] [--only keelson|kubeadm|plan|memory] [--name bench]
//   [--out FILE] [--docs FILE]   where results go; with --only keelson or kubeadm they are only printed
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { cpus, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { argv, chalk } from 'zx';
import { CLI } from './dist.mjs';
import { install, MILESTONES } from './install.mjs';
import { lab } from './machines.mjs';
import { tables, updateDocument } from './report.mjs';
import { spread } from './statistics.mjs';
import { measurePlan, measureStart } from './unchanged.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const { runs: pairs = 3, 'control-planes': controlPlanes = 1, workers = 2, only, name = 'bench' } = argv;
const out = argv.out ?? here('results.json');
const docs = argv.docs ?? here('../docs/benchmarks.md');

const wanted = [undefined, 'keelson', 'kubeadm', 'plan', 'memory'];
const counts = [pairs, controlPlanes, workers + 1];
if (!wanted.includes(only) || !counts.every((count) => Number.isInteger(count) && count > 0)) {
  console.error(
    'usage: npm run bench -- [--runs N] [--control-planes N] [--workers N] [--only keelson|kubeadm|plan|memory]',
  );
  process.exit(2);
}
await access(CLI).catch(() => {
  console.error(`${CLI} is missing: npm run build`);
  process.exit(2);
});

const directory = await mkdtemp(join(tmpdir(), 'keelson-bench-'));
const log = join(directory, 'log');
const machines = lab({ name, directory, controlPlanes, workers });
process.once('SIGINT', () => machines.down().finally(() => process.exit(130)));

const report = (run) => {
  const times = MILESTONES.map((milestone) => `${milestone} ${(run[milestone] / 1000).toFixed(1)}`);
  console.log(`${run.tool.padEnd(8)} ${times.join('  ')}  (seconds; load before ${run.loadBefore})`);
  return run;
};
const run = async (tool) => report(await install({ tool, machines, directory, log }));

/** Pairs of runs, whose first is the one tool and the other in turn, so that a drift favours none. */
async function series() {
  const results = [];
  let plan;
  for (let pair = 0; pair < pairs; pair += 1) {
    const order = pair % 2 === 0 ? ['kubeadm', 'keelson'] : ['keelson', 'kubeadm'];
    const both = {};
    for (const tool of order) {
      both[tool] = await run(tool);
      if (controlPlanes === 1 && tool === 'keelson' && pair === pairs - 1) plan = await planOn();
    }
    results.push(both);
  }
  const of = (tool) =>
    Object.fromEntries(
      MILESTONES.map((milestone) => [milestone, spread(results.map((both) => both[tool][milestone]))]),
    );
  const all = results.flatMap(({ keelson, kubeadm }) => [keelson, kubeadm]);
  const installation = {
    at: new Date().toISOString().slice(0, 10),
    machine: `${cpus().length} cores (${cpus()[0].model}), ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node.js ${process.version}`,
    controlPlanes,
    workers,
    pairs,
    keelson: of('keelson'),
    kubeadm: of('kubeadm'),
    ratio: spread(
      results.map(({ keelson, kubeadm }) => keelson.done / kubeadm.done),
      2,
    ),
    loadBefore: spread(
      all.map(({ loadBefore }) => loadBefore),
      1,
    ),
    runs: all,
  };
  // What an unchanged cluster costs is told of the smaller one.
  if (controlPlanes > 1) return { severalControlPlanes: installation };
  return {
    installation,
    apply: { peakMB: spread(results.map(({ keelson }) => keelson.peakMB)) },
    plan,
  };
}

const planOn = () => measurePlan({ clusterFile: machines.clusterFile, log });

async function measure() {
  if (only === undefined)
    return { ...(await series()), ...(controlPlanes > 1 ? {} : { start: await measureStart() }) };
  if (only === 'keelson' || only === 'kubeadm') {
    for (let index = 0; index < pairs; index += 1) await run(only);
    return null;
  }
  const { peakMB } = await run('keelson');
  const plan = await planOn();
  const apply = { peakMB: spread([peakMB]) };
  return only === 'plan' ? { plan, start: await measureStart() } : { plan, apply };
}

let failed = true;
try {
  const measured = await measure();
  if (measured !== null) {
    const before = await readFile(out, 'utf8').then(JSON.parse, () => ({}));
    const results = { ...before, ...measured };
    await writeFile(out, `${JSON.stringify(results, null, 2)}\n`);
    await updateDocument(docs, results);
    console.log(`\n${tables(measured)}`);
  }
  failed = false;
} catch (error) {
  console.error(chalk.red(`${error.message}\nwhat the tools said: ${log}`));
  process.exitCode = 1;
} finally {
  await machines.down();
  for (const role of ['control-plane', 'worker']) await rm(join(directory, `${role}.tar`), { force: true });
  if (!failed) await rm(directory, { recursive: true, force: true });
}
