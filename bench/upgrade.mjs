#!/usr/bin/env zx
// How long an upgrade by a minor takes: keelson beside a careful script around kubeadm upgrade, each on a cluster of its
// own that was just made. docs/benchmarks.md says what is measured. Needs root on Linux, and the bundles of both versions.
// Usage: npx zx bench/upgrade.mjs [--from v1.35.4] [--to v1.36.3] [--control-planes 3] [--workers 2]
//   [--only keelson|kubeadm] [--runs 1] [--name benchup]
import { mkdtemp, open, rm } from 'node:fs/promises';
import { homedir, loadavg, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { $, argv } from 'zx';
import { built, CLI } from './dist.mjs';
import { keelson } from './keelson.mjs';
import { NODE_DIRECTORY, writeUpgradePayloads } from './payload.mjs';
import { openRemote } from './remote.mjs';
import { spread } from './statistics.mjs';

const { from = 'v1.35.4', to = 'v1.36.3', workers = 2, only, runs = 1, name = 'benchup' } = argv;
const controlPlanes = argv['control-planes'] ?? 3;
const directory = await mkdtemp(join(tmpdir(), 'keelson-bench-'));
const log = join(directory, 'log');
const labDirectory = join(directory, '.keelson', 'lab', name);
const clusterFile = join(labDirectory, 'cluster.yaml');
const shell = $({ cwd: directory, quiet: true });
const down = () => shell`node ${CLI} lab down --name ${name}`;
process.once('SIGINT', () => down().finally(() => process.exit(130)));

/** A cluster of the version before, with nothing left to be written to the disk. Returns its nodes. */
async function fresh() {
  await down();
  const counts = ['--control-planes', controlPlanes, '--workers', workers];
  const endpoint = controlPlanes > 1 ? ['--endpoint', 'keepalived-haproxy'] : [];
  await shell`node ${CLI} lab up --name ${name} --kubernetes-version ${from} ${counts} ${endpoint}`;
  await shell`sync`;
  const status = await shell`node ${CLI} lab status --name ${name} -o json`;
  return JSON.parse(status.stdout).nodes;
}

/** Milliseconds until the command has returned, which waits for everything to be well. */
async function byKeelson() {
  const args = ['upgrade', 'apply', '--to', to, '-c', clusterFile, '--yes', '--snapshot-dir', directory];
  const { code, ms, said } = await keelson([...args, '--log-format', 'json'], { log });
  if (code !== 0) throw new Error(`keelson upgrade apply exited with ${code}\n${said.slice(-2000)}`);
  return ms;
}

const IGNORE = '--ignore-preflight-errors=SystemVerification';
const KUBECTL = 'kubectl --kubeconfig /etc/kubernetes/admin.conf';
const STAGE = `set -e
mkdir -p ${NODE_DIRECTORY}
tar -x -f - -C /
ctr -n k8s.io images import --local ${NODE_DIRECTORY}/images.tar > /dev/null`;
const TOOLS = `cp ${NODE_DIRECTORY}/usr/bin/kubeadm /usr/bin/kubeadm.new && mv /usr/bin/kubeadm.new /usr/bin/kubeadm`;
const KUBELET = `cp ${NODE_DIRECTORY}/usr/bin/kubelet /usr/bin/kubelet.new && mv /usr/bin/kubelet.new /usr/bin/kubelet && systemctl restart kubelet`;

/** The same by a script: everything on all nodes in parallel first, then one node after the other. */
async function byKubeadm(nodes) {
  const { loadClusterConfig } = await built('config/load.js');
  const { loadBundle } = await built('bundle/bundle.js');
  const config = await loadClusterConfig(clusterFile, { homeDir: homedir() });
  const before = await loadBundle(config.spec.bundle);
  const bundle = await loadBundle(join(dirname(config.spec.bundle), to));
  const payloads = await writeUpgradePayloads({ bundle, before, config, directory });
  await shell`sync`;
  const remote = await openRemote({ labDirectory, log });
  const planes = nodes.filter(({ role }) => role === 'control-plane');
  const [first, ...others] = planes;
  const since = performance.now();
  const reached = (what) => console.log(`  ${what} ${((performance.now() - since) / 1000).toFixed(1)}`);
  const isNew = async (node) => {
    const ready = `{.status.nodeInfo.kubeletVersion} {.status.conditions[?(@.type=="Ready")].status}`;
    await remote.onNode(
      first,
      `for i in $(seq 600); do [ "$(${KUBECTL} get node ${node.name} -o jsonpath='${ready}' 2>/dev/null)" = "${to} True" ] && exit 0; sleep 0.2; done; exit 1`,
    );
  };
  try {
    await Promise.all(
      nodes.map(async (node) => {
        await remote.connect(node);
        const payload = await open(payloads[node.role]);
        try {
          await remote.onNode(node, STAGE, payload.fd);
        } finally {
          await payload.close();
        }
      }),
    );
    reached('staged');
    await remote.onNode(first, `${TOOLS} && kubeadm upgrade apply ${to} -y ${IGNORE} >&2 && ${KUBELET}`);
    await isNew(first);
    reached(first.name);
    for (const node of others) {
      await remote.onNode(node, `${TOOLS} && kubeadm upgrade node ${IGNORE} >&2 && ${KUBELET}`);
      await isNew(node);
      reached(node.name);
    }
    for (const node of nodes.filter(({ role }) => role === 'worker')) {
      await remote.onNode(
        first,
        `${KUBECTL} drain ${node.name} --ignore-daemonsets --delete-emptydir-data >&2`,
      );
      await remote.onNode(node, `${TOOLS} && kubeadm upgrade node ${IGNORE} >&2 && ${KUBELET}`);
      await isNew(node);
      await remote.onNode(first, `${KUBECTL} uncordon ${node.name} >&2`);
      reached(node.name);
    }
    return Math.round(performance.now() - since);
  } finally {
    await remote.close(nodes);
  }
}

const TOOLS_OF = { keelson: byKeelson, kubeadm: byKubeadm };
let failed = true;
try {
  for (const tool of Object.keys(TOOLS_OF).filter((candidate) => only === undefined || candidate === only)) {
    const times = [];
    for (let run = 0; run < runs; run += 1) {
      const nodes = await fresh();
      const load = loadavg()[0].toFixed(1);
      const ms = await TOOLS_OF[tool](nodes);
      console.log(`${tool} ${(ms / 1000).toFixed(1)} s (load before ${load})`);
      times.push(ms / 1000);
    }
    const { median, min, max } = spread(times, 1);
    console.log(`${tool}: ${from} → ${to} on ${controlPlanes}+${workers}: ${median} s (${min}–${max})`);
  }
  failed = false;
} finally {
  await down();
  if (failed) console.error(`what the tools said: ${log}`);
  else await rm(directory, { recursive: true, force: true });
}
