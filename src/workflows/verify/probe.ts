import { randomBytes } from 'node:crypto';
import { imageByName } from '../../bundle/bundle.js';
import type { ClusterClient, KubeObject } from '../../cluster/client.js';
import { presentHosts } from '../../config/inventory.js';
import type { ResolvedHost } from '../../config/types.js';
import { waitUntil } from '../../engine/wait.js';
import { KeelsonError, toKeelsonError } from '../../errors/keelson-error.js';
import type { Host } from '../../host/types.js';
import {
  PROBE_APP,
  PROBE_LABEL,
  PROBE_SERVICE,
  type ProbeSettings,
  probeDaemonSet,
  probeSurroundings,
} from '../../manifests/probe.js';
import type { Session } from '../session.js';
import type { CheckRow } from './checks.js';
import { nodeOf, nodeProblem, type ProbePod, podEvents, podProblem, readyPod } from './pods.js';

/** Milliseconds for pods whose image is on their nodes already. */
const POD_DEADLINE_MS = 45_000;
/** Namespaces take 5 s at least: the controller manager waits that long before it begins. */
const CLEANUP_DEADLINE_MS = 90_000;

/** What the checks work with while the probe pods are up. */
export interface Probe {
  settings: ProbeSettings;
  hosts: readonly ResolvedHost[];
  /** Ready probe pods by host; a host without one is missing. */
  pods: ReadonlyMap<string, ProbePod>;
  service: { clusterIP: string; nodePort: number };
  /** Rows of the check `pods`. */
  rows: readonly CheckRow[];
}

/**
 * Brings probe pods up on all nodes, works with them, and takes everything away again, whatever happened.
 * What earlier runs left behind goes too.
 * @param signal soft stop: ends the work, not the cleaning up
 */
export async function withProbe<T>(
  session: Session,
  client: ClusterClient,
  signal: AbortSignal,
  work: (probe: Probe) => Promise<T>,
): Promise<T> {
  const settings: ProbeSettings = {
    namespace: `keelson-verify-${randomBytes(4).toString('hex')}`,
    image: imageByName(session.context.bundle, 'agnhost').reference,
  };
  await deleteProbes(client);
  let result: T;
  try {
    result = await work(await deploy(session, client, settings, signal));
  } catch (error) {
    await removeProbes(session, client).catch((thrown: unknown) =>
      session.emit({
        type: 'note',
        host: '',
        level: 'warning',
        text: `the namespace ${settings.namespace} is left behind: ${toKeelsonError(thrown).message}; the next verify removes it`,
      }),
    );
    throw error;
  }
  await removeProbes(session, client);
  return result;
}

const PROBE_NAMESPACES = `/api/v1/namespaces?labelSelector=${encodeURIComponent(PROBE_LABEL)}`;

/** Asks for the deletion of every probe namespace; returns their names. */
async function deleteProbes(client: ClusterClient): Promise<string[]> {
  const names = (await client.list(PROBE_NAMESPACES)).map((namespace) => namespace.metadata.name);
  await Promise.all(names.map((name) => client.remove({ apiVersion: 'v1', kind: 'Namespace', name })));
  return names;
}

/** Deletes all probe namespaces and waits until they are gone. Only a hard abort ends it early. */
export async function removeProbes(session: Session, client: ClusterClient): Promise<void> {
  const names = await deleteProbes(client);
  // The pods go at once, while the namespace controller still bides its time.
  await Promise.all(
    names.map((namespace) =>
      client
        .remove({ apiVersion: 'apps/v1', kind: 'DaemonSet', namespace, name: PROBE_APP })
        .catch(() => undefined),
    ),
  );
  await waitUntil(
    async () => {
      const left = await client.list(PROBE_NAMESPACES);
      return { met: left.length === 0, state: left.map(terminationOf).join('; ') };
    },
    {
      for: 'the probe namespaces to be gone',
      deadlineMs: CLEANUP_DEADLINE_MS,
      signal: session.context.signal,
      hint: 'kubectl get namespace -o yaml shows what holds it; the next keelson verify tries again',
    },
  );
}

function terminationOf(namespace: KubeObject): string {
  const { conditions = [] } = (namespace.status ?? {}) as {
    conditions?: { status: string; message?: string }[];
  };
  const held = conditions.filter((one) => one.status === 'True').map((one) => one.message ?? '');
  return [namespace.metadata.name, ...held].join(': ');
}

async function deploy(
  session: Session,
  client: ClusterClient,
  settings: ProbeSettings,
  signal: AbortSignal,
): Promise<Probe> {
  const hosts = presentHosts(session.context.config);
  const { namespace, rest } = probeSurroundings(settings);
  const [images, service] = await Promise.all([
    provideImages(session, hosts, signal),
    (async () => {
      await client.apply(namespace as KubeObject);
      const applied = await Promise.all(rest.map((object) => client.apply(object as KubeObject)));
      return applied.find((object) => object.kind === 'Service' && object.metadata.name === PROBE_SERVICE);
    })(),
  ]);
  signal.throwIfAborted();
  await client.apply(probeDaemonSet(settings) as KubeObject);
  const spec = service?.spec as { clusterIP?: string; ports?: { nodePort?: number }[] } | undefined;
  const clusterIP = spec?.clusterIP;
  const nodePort = spec?.ports?.[0]?.nodePort;
  if (clusterIP === undefined || nodePort === undefined)
    throw new KeelsonError('API', `the service ${PROBE_SERVICE} got no cluster IP and node port`);
  const { pods, rows } = await awaitPods({ session, client, settings, hosts, images, signal });
  return { settings, hosts, pods, service: { clusterIP, nodePort }, rows };
}

/** Imports the probe image where it is missing; returns why it is still missing, by host. */
async function provideImages(
  session: Session,
  hosts: readonly ResolvedHost[],
  signal: AbortSignal,
): Promise<Map<string, string>> {
  const problems = new Map<string, string>();
  await Promise.all(
    hosts.map(async ({ name }) => {
      try {
        await provideImage(session, session.effects.host(name), signal);
      } catch (error) {
        signal.throwIfAborted();
        problems.set(name, toKeelsonError(error).message);
      }
    }),
  );
  return problems;
}

async function provideImage(session: Session, host: Host, signal: AbortSignal): Promise<void> {
  const image = imageByName(session.context.bundle, 'agnhost');
  const list = ['ctr', '--namespace', 'k8s.io', 'images', 'list', `name==${image.reference}`];
  const { stdout } = await host.query(list, { signal });
  if (stdout.toString('utf8').includes(` ${image.digest} `)) return;
  session.emit({ type: 'note', host: host.name, level: 'info', text: 'importing the probe image' });
  const size = image.blobs.reduce((sum, blob) => sum + blob.size, 0);
  const { reference, digest } = image;
  const change = { kind: 'image', reference, digest, size, reason: `${reference} is missing` } as const;
  await session.effects.importImages(host, [change]);
}

interface Awaited {
  session: Session;
  client: ClusterClient;
  settings: ProbeSettings;
  hosts: readonly ResolvedHost[];
  /** Hosts that have no probe image, and why. */
  images: ReadonlyMap<string, string>;
  signal: AbortSignal;
}

/** Waits for the pods of all nodes that can have one: Ready nodes with the image. */
async function awaitPods(options: Awaited): Promise<{ pods: Map<string, ProbePod>; rows: CheckRow[] }> {
  const { session, client, settings, hosts, images, signal } = options;
  const started = performance.now();
  const times = new Map<string, number>();
  const pods = new Map<string, ProbePod>();
  let seen: KubeObject[] = [];
  const podOn = (host: ResolvedHost) => seen.find((pod) => nodeOf(pod) === host.nodeRegistration.name);
  const selector = encodeURIComponent(`app=${PROBE_APP}`);
  const look = async () => {
    const [nodes, found] = await Promise.all([
      client.list('/api/v1/nodes'),
      client.list(`/api/v1/namespaces/${settings.namespace}/pods?labelSelector=${selector}`),
    ]);
    seen = found;
    const open: string[] = [];
    for (const host of hosts) {
      const pod = podOn(host);
      const ready = pod === undefined ? null : readyPod(pod, host.name);
      if (ready === null) pods.delete(host.name);
      else {
        pods.set(host.name, ready);
        if (!times.has(host.name)) times.set(host.name, performance.now() - started);
        continue;
      }
      const node = nodes.find((one) => one.metadata.name === host.nodeRegistration.name);
      if (nodeProblem(node) === null && !images.has(host.name)) open.push(`${host.name}: ${podProblem(pod)}`);
    }
    return { met: open.length === 0, state: open.join('; ') };
  };
  const onState = (last: string) =>
    session.emit({ type: 'waiting', phase: 'verify', host: '', for: 'probe pods', last });
  try {
    await waitUntil(look, {
      for: 'probe pods',
      deadlineMs: POD_DEADLINE_MS,
      intervalMs: 150,
      signal,
      onState,
    });
  } catch (error) {
    if (!(error instanceof KeelsonError) || error.code !== 'DEADLINE') throw error;
  }
  const rows = await Promise.all(
    hosts.map(async (host): Promise<CheckRow> => {
      const base = { check: 'pods', from: '', to: host.name } as const;
      const durationMs = Math.round(times.get(host.name) ?? performance.now() - started);
      const pod = podOn(host);
      if (pods.has(host.name)) return { ...base, result: 'passed', durationMs, detail: '' };
      const image = images.get(host.name);
      const detail =
        image === undefined ? podProblem(pod) : `the probe image could not be imported: ${image}`;
      const evidence =
        pod === undefined ? [] : await podEvents(client, settings.namespace, pod.metadata.name);
      return { ...base, result: 'failed', durationMs, detail, evidence };
    }),
  );
  return { pods, rows };
}
