// One installation on fresh machines, timed.
import { appendFile, readFile } from 'node:fs/promises';
import { homedir, loadavg } from 'node:os';
import { built } from './dist.mjs';
import { keelsonUp } from './keelson.mjs';
import { kubeadmUp } from './kubeadm.mjs';
import { writePayloads } from './payload.mjs';
import { openWatcher } from './watcher.mjs';

/** In the order in which they are usually reached. */
export const MILESTONES = ['provisioned', 'api', 'joined', 'ready', 'dns', 'done', 'returned'];

/**
 * Installs with `tool` on fresh machines of the lab, and times it from the tool's start until the cluster is there;
 * the machines' boot does not count. `directory` keeps the log, and the kubeadm script's payloads over all runs.
 */
export async function install({ tool, machines, directory, log }) {
  const nodes = await machines.fresh();
  const { loadClusterConfig } = await built('config/load.js');
  const config = await loadClusterConfig(machines.clusterFile, { homeDir: homedir() });
  const payloads = tool === 'kubeadm' ? await payloadsFor(config, machines, directory) : {};
  const watcher = await openWatcher(config);
  const failure = new AbortController();
  await appendFile(log, `=== ${tool}\n`);
  try {
    const loadBefore = Number(loadavg()[0].toFixed(2));
    const since = performance.now();
    const common = { log, since, signal: failure.signal };
    const work =
      tool === 'keelson'
        ? keelsonUp({ ...common, clusterFile: machines.clusterFile })
        : kubeadmUp({
            ...common,
            nodes,
            endpoint: config.cluster.controlPlaneEndpoint,
            labDirectory: machines.directory,
            payloads,
          });
    const [own, seen] = await Promise.all([work, watcher.watch(since, failure.signal)]);
    return { tool, loadBefore, ...own, ...seen };
  } catch (error) {
    failure.abort();
    throw error;
  } finally {
    await watcher.close();
  }
}

const written = new Map();

async function payloadsFor(config, machines, directory) {
  const known = written.get(directory);
  if (known !== undefined) return known;
  const { loadBundle } = await built('bundle/bundle.js');
  const bundle = await loadBundle(config.spec.bundle);
  const clusterText = await readFile(machines.clusterFile, 'utf8');
  const payloads = await writePayloads({ bundle, config, clusterText, directory });
  written.set(directory, payloads);
  return payloads;
}
