import { randomBytes } from 'node:crypto';
import { imageByName } from '../../bundle/bundle.js';
import type { ClusterClient, KubeObject } from '../../cluster/client.js';
import { nodeHosts } from '../../config/inventory.js';
import type { ResolvedHost } from '../../config/types.js';
import { KeelsonError, toKeelsonError } from '../../errors/keelson-error.js';
import type { Host } from '../../host/types.js';
import {
  PROBE_SERVICE,
  type ProbeSettings,
  probeDaemonSet,
  probeSurroundings,
} from '../../manifests/probe.js';
import { hostBundle } from '../../phases/host-bundle.js';
import { usableImages } from '../../phases/runtime/images.js';
import type { Session } from '../session.js';
import { awaitPods } from './await-pods.js';
import type { CheckRow } from './checks.js';
import type { ProbePod } from './pods.js';
import { deleteProbes, removeProbes } from './remove-probes.js';

/** What the checks work with while the probe pods are up. */
export interface Probe {
  settings: ProbeSettings;
  hosts: readonly ResolvedHost[];
  /** Ready probe pods by host; a host without one is missing. */
  pods: ReadonlyMap<string, ProbePod>;
  /** Cluster IPs: one of each family that the cluster has. */
  service: { clusterIPs: readonly string[]; nodePort: number };
  /** Rows of the check `pods`. */
  rows: readonly CheckRow[];
}

/**
 * Brings probe pods up on all nodes, works with them, and takes everything away again, whatever happened.
 * What earlier runs left behind goes too.
 * @param signal soft stop: ends the work, not the cleaning up
 * @returns what the work gave, and how the cleaning up went
 */
export async function withProbe<T>(
  session: Session,
  client: ClusterClient,
  signal: AbortSignal,
  work: (probe: Probe) => Promise<T>,
): Promise<{ result: T; cleanup: CheckRow }> {
  const settings: ProbeSettings = {
    namespace: `keelson-verify-${randomBytes(4).toString('hex')}`,
    image: imageByName(session.context.bundle, 'agnhost').reference,
  };
  await deleteProbes(client);
  let result: T;
  try {
    result = await work(await deploy(session, client, settings, signal));
  } catch (error) {
    const { result: outcome, detail } = await cleanUp(session, client, settings);
    if (outcome === 'failed') session.emit({ type: 'note', host: '', level: 'warning', text: detail });
    throw error;
  }
  return { result, cleanup: await cleanUp(session, client, settings) };
}

async function cleanUp(session: Session, client: ClusterClient, settings: ProbeSettings): Promise<CheckRow> {
  const started = performance.now();
  const row = (result: CheckRow['result'], detail: string): CheckRow => {
    const durationMs = Math.round(performance.now() - started);
    return { check: 'cleanup', from: '', to: '', result, durationMs, detail };
  };
  try {
    await removeProbes(client, session.context.signal);
    return row('passed', '');
  } catch (thrown) {
    return row('failed', `${settings.namespace} is left behind: ${toKeelsonError(thrown).message}`);
  }
}

async function deploy(
  session: Session,
  client: ClusterClient,
  settings: ProbeSettings,
  signal: AbortSignal,
): Promise<Probe> {
  const hosts = nodeHosts(session.context.config);
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
  const spec = service?.spec as { clusterIPs?: string[]; ports?: { nodePort?: number }[] } | undefined;
  const { clusterIPs = [] } = spec ?? {};
  const nodePort = spec?.ports?.[0]?.nodePort;
  if (clusterIPs.length === 0 || nodePort === undefined)
    throw new KeelsonError('API', `the service ${PROBE_SERVICE} got no cluster IP and node port`);
  const { pods, rows } = await awaitPods({ session, client, settings, hosts, images, signal });
  return { settings, hosts, pods, service: { clusterIPs, nodePort }, rows };
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
  const image = imageByName(hostBundle(session.context, host.name), 'agnhost');
  const list = ['ctr', '--namespace', 'k8s.io', 'images', 'check', `name==${image.reference}`];
  const { stdout } = await host.query(list, { signal });
  if (usableImages(stdout.toString('utf8')).get(image.reference) === image.digest) return;
  session.emit({ type: 'note', host: host.name, level: 'info', text: 'importing the probe image' });
  const size = image.blobs.reduce((sum, blob) => sum + blob.size, 0);
  const { reference, digest } = image;
  const change = { kind: 'image', reference, digest, size, reason: `${reference} is missing` } as const;
  await session.effects.importImages(host, [change]);
}
