// keelson's own command line as its users run it, with a probe in its process.
import { spawn } from 'node:child_process';
import { appendFile, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { CLI } from './dist.mjs';

const PROBE = fileURLToPath(new URL('./probe.mjs', import.meta.url));
/** What the kubeadm script calls provisioned. */
const PROVISIONING = /^(runtime\/|images\/|kubelet\/install$)/;

/**
 * Runs `keelson ARGS`; what it says on stderr goes to `log`.
 * Returns exit code, wall time in milliseconds, its events (with `--log-format json`), and what the probe saw.
 */
export async function keelson(args, { log, signal }) {
  const report = `${log}.probe`;
  const started = performance.now();
  const child = spawn(process.execPath, ['--import', PROBE, CLI, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, KEELSON_BENCH_PROBE: report },
    signal,
  });
  const err = [];
  child.stderr.on('data', (chunk) => err.push(chunk));
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const ms = Math.round(performance.now() - started);
  const said = Buffer.concat(err).toString();
  await appendFile(log, `--- keelson ${args.join(' ')}: exit ${code}\n${said}`);
  const events = said.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : []));
  return { code, ms, said, events, probe: JSON.parse(await readFile(report, 'utf8')) };
}

/** Makes the cluster with `keelson apply`. Returns milestones in milliseconds since `since`, and the peak memory. */
export async function keelsonUp({ clusterFile, log, since, signal }) {
  const epoch = Date.now() - (performance.now() - since);
  const { code, said, events, probe } = await keelson(['apply', '-c', clusterFile, '--log-format', 'json'], {
    log,
    signal,
  });
  const returned = Math.round(performance.now() - since);
  if (code !== 0) throw new Error(`keelson apply exited with ${code}\n${said.slice(-2000)}`);
  const provisioned = events
    .filter(({ type, phase }) => type === 'task-finished' && PROVISIONING.test(phase))
    .map(({ at }) => Math.round(Date.parse(at) - epoch));
  return { provisioned: Math.max(...provisioned), returned, peakMB: probe.peakMB };
}
