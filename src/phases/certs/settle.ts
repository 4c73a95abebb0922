import { clusterClient } from '../../cluster/client.js';
import { etcdClient } from '../../cluster/etcd.js';
import { isHealthy } from '../../cluster/healthz.js';
import { presentedChain } from '../../cluster/presented.js';
import type { Endpoint } from '../../cluster/tls-agent.js';
import { type Condition, waitUntil } from '../../engine/wait.js';
import { KeelsonError, toKeelsonError } from '../../errors/keelson-error.js';
import type { Host, ReadResult } from '../../host/types.js';
import { KUBELET_UNIT } from '../../manifests/kubelet.js';
import { inspectBundle } from '../../pki/inspect.js';
import { certificatePaths } from '../../pki/table.js';
import type { PhaseContext } from '../context.js';
import { withHostEvidence } from '../evidence.js';
import { type ServingProgram, servedOn } from '../served.js';
import { ADMIN_FILES, adminIn } from '../trust-store.js';

/** The API server reads its own certificates within a minute, and its kubelet client's within five. */
const DEADLINE_MS = 300_000;
/** A kubelet starts a container that ended at once, or ten seconds later where it ended not long ago. */
const PATIENCE_MS = 25_000;

/** Arguments: a program's name. Ends the container's process; the kubelet starts it again. */
const STOP = `for process in /proc/[0-9]*; do
  program=$(tr '\\0' '\\n' < "$process/cmdline" 2>/dev/null | head -n 1)
  [ "\${program##*/}" = "$1" ] || continue
  grep -q kubepods "$process/cgroup" 2>/dev/null || continue
  kill -TERM "\${process##*/}"
  stopped="$stopped $process"
done
i=0
for process in $stopped; do
  while [ -d "$process" ]; do
    i=$((i+1)); [ $i -gt 600 ] && exit 1
    sleep 0.1
  done
done
`;

/** Has a static pod's program end, so that the kubelet starts it anew with what its files say now. */
export async function restartProgram(host: Host, program: string): Promise<void> {
  await host.script({ name: 'certs/stop-program', text: STOP, args: [program] }, { timeoutMs: 90_000 });
}

/**
 * Waits until the control plane or etcd member of a host is healthy with the certificates that lie there. Where it
 * does not come by itself its kubelet is started anew, which forgets for how long it wanted to wait with pods that
 * kept failing.
 * @throws DEADLINE with evidence
 */
export async function settle(context: PhaseContext, host: Host): Promise<void> {
  const begun = Date.now();
  let restarted = false;
  try {
    await waitUntil(
      async () => {
        const waitsFor = await unsettled(context, host);
        if (waitsFor !== null && !restarted && Date.now() - begun > PATIENCE_MS) {
          restarted = true;
          await host.service('restart', KUBELET_UNIT);
        }
        return { met: waitsFor === null, state: waitsFor ?? '' } satisfies Condition;
      },
      {
        for: `the control plane of ${host.name}`,
        deadlineMs: DEADLINE_MS,
        intervalMs: 300,
        signal: context.signal,
        onState: (last) =>
          context.emit({
            type: 'waiting',
            phase: 'certs/renew',
            host: host.name,
            for: 'its control plane',
            last,
          }),
        hint: 'see the logs in /var/log/containers; then run keelson certs renew again',
      },
    );
  } catch (error) {
    throw await withHostEvidence(error, host);
  }
}

/** What is not well yet; null where everything is. */
async function unsettled(context: PhaseContext, host: Host): Promise<string | null> {
  const { config, signal } = context;
  const { cluster } = config;
  const etcd = ['ca', 'healthcheck-client'].map((name) =>
    certificatePaths(cluster, { baseName: `etcd/${name}` }),
  );
  const apiserver = certificatePaths(cluster, { baseName: 'apiserver' }).cert;
  const files = [...ADMIN_FILES, apiserver, ...etcd.flatMap(({ cert, key }) => [cert, key])];
  const seen = await host.read({ files }, { signal });
  const served = servedOn(config, context.hostNamed(host.name));
  // On control planes the API server's readiness says it.
  const ownEtcd = !served.some(({ program }) => program === 'kube-apiserver');
  const looks: Partial<Record<ServingProgram, (endpoint: Endpoint) => Promise<string | null>>> = {
    'kube-apiserver': async (endpoint) =>
      (await apiState(context, host, seen)) ?? (await shown(context, host, seen, apiserver, endpoint)),
    'kube-controller-manager': async (endpoint) => healthOf(await isHealthy(host, endpoint, signal)),
    'kube-scheduler': async (endpoint) => healthOf(await isHealthy(host, endpoint, signal)),
    ...(ownEtcd ? { etcd: () => etcdState(context, host, seen) } : {}),
  };
  for (const { program, endpoint } of served) {
    const state = await looks[program]?.(endpoint);
    if (state != null) return `${program}: ${state}`;
  }
  return null;
}

const healthOf = (healthy: boolean) => (healthy ? null : 'not healthy');

async function apiState(context: PhaseContext, host: Host, seen: ReadResult): Promise<string | null> {
  const admin = adminIn((path) => seen.files.get(path)?.content);
  const { localAPIEndpoint } = context.hostNamed(host.name);
  if (admin === null || localAPIEndpoint === null) return 'no admin identity on the host';
  const { advertiseAddress: address, bindPort: port } = localAPIEndpoint;
  const client = clusterClient(host, { address, port }, admin, context.signal);
  try {
    await client.request('GET', '/readyz', { timeoutMs: 5_000 });
    return null;
  } catch (error) {
    context.signal.throwIfAborted();
    return toKeelsonError(error).message.split('\n')[0] ?? 'not ready';
  } finally {
    await client.close();
  }
}

/** The certificate on disk is the one that is presented. */
async function shown(
  context: PhaseContext,
  host: Host,
  seen: ReadResult,
  path: string,
  endpoint: Endpoint,
): Promise<string | null> {
  const stored = seen.files.get(path)?.content?.toString();
  if (stored === undefined) return `${path} is missing`;
  const [leaf] = await presentedChain(host, endpoint, context.signal);
  const same = leaf !== undefined && inspectBundle(stored, path)[0].x509.raw.equals(leaf);
  return same ? null : `does not present what ${path} has`;
}

async function etcdState(context: PhaseContext, host: Host, seen: ReadResult): Promise<string | null> {
  const base = (name: string) => certificatePaths(context.config.cluster, { baseName: `etcd/${name}` });
  const text = (path: string) => seen.files.get(path)?.content?.toString() ?? '';
  const client = base('healthcheck-client');
  const credentials = { ca: text(base('ca').cert), cert: text(client.cert), key: text(client.key) };
  const etcd = etcdClient(host, credentials, context.signal);
  try {
    const { leader, errors } = await etcd.status();
    if (leader === '') return 'no leader';
    return errors.length === 0 ? null : errors.join(', ');
  } catch (error) {
    if (!(error instanceof KeelsonError)) throw error;
    context.signal.throwIfAborted();
    return error.message;
  } finally {
    await etcd.close();
  }
}
