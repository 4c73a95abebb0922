import type { OpenSnapshot } from '../../backup/open-snapshot.js';
import { fileTime } from '../../backup/snapshot-name.js';
import { waitUntil } from '../../engine/wait.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { putManifest } from '../../phases/etcd/hosts.js';
import { etcdOn } from '../../phases/etcd-access.js';
import { awaitMembers } from '../../phases/etcd-serving.js';
import { awaitLocalApi } from '../../phases/local-api.js';
import { withLock } from '../lock.js';
import type { Session } from '../session.js';
import { connectedPlanes, type NodeFindings, reconcileNodes } from './control-planes.js';
import { keptAs, type NewMember, stageSnapshot, swapData } from './data-directory.js';
import { type PreparedRestore, prepareRestore, type RestorePlan } from './restore-plan.js';
import { startPods, stopControlPlane } from './static-pods.js';
import { onHosts } from './steps.js';

export interface RestoreOptions {
  snapshot: OpenSnapshot;
  /** Who holds the lock, as others are told. */
  owner: string;
  /** Image of the etcd that the new data is for; default the one that each host's manifest names. */
  image?: string;
  /** What API servers have to answer for the restore to be done; default whether they are ready. */
  awaited?: string;
  /** Done on each control plane and host with a member while nothing of it runs, before anything is started. */
  whileStopped?: (host: string) => Promise<void>;
}

export interface RestoreResult {
  plan: RestorePlan;
  /** Revision of etcd after the restore: further than any that a client may have seen. */
  revision: number;
  nodes: NodeFindings;
  /** From the first pod that was stopped until all API servers were ready. */
  downMs: number;
  durationMs: number;
}

/** Milliseconds for members that were just started to agree on what they have. */
const COUNT_MS = 30_000;

/**
 * Puts a snapshot in the place of what etcd has, on all hosts with a member: new data directories are made beside
 * the old ones while etcd still runs, all control planes are stopped, directories are exchanged, everything is
 * started again. Old data is kept. Interrupted anywhere, it is run again.
 * @throws PREFLIGHT, CONNECTION before anything was changed; VERIFY where etcd has not what the snapshot has; LOCKED,
 * DEADLINE, ABORTED
 */
export async function restoreEtcd(session: Session, options: RestoreOptions): Promise<RestoreResult> {
  const { context, emit } = session;
  const started = context.now();
  const run = 'etcd restore';
  return withLock(session, { owner: options.owner, run }, async () => {
    const prepared = await prepareRestore(session, options.snapshot);
    const hosts = prepared.surveys.map(({ host }) => host);
    emit({ type: 'run-started', run, hosts, tasks: hosts.length });
    let ok = false;
    try {
      const result = await restore(session, options, prepared);
      ok = true;
      return { ...result, durationMs: context.now() - started };
    } finally {
      const durationMs = context.now() - started;
      emit({ type: 'run-finished', run, ok, changed: ok ? hosts.length : 0, durationMs });
    }
  });
}

async function restore(
  session: Session,
  { snapshot, image, awaited, whileStopped }: RestoreOptions,
  { plan, surveys, at }: PreparedRestore,
): Promise<Omit<RestoreResult, 'durationMs'>> {
  const { context, effects } = session;
  const { signal } = context;
  const members: NewMember[] = surveys.map(({ name, peerURL }) => ({ name, peerURL }));
  const cluster = { members, token: `${context.config.name}-${fileTime(at)}` };
  const hosts = surveys.map(({ host }) => host);
  const surveyed = (name: string) => {
    const found = surveys.find(({ host }) => host === name);
    if (found === undefined) throw new KeelsonError('BUG', `${name} was not looked at`);
    return image === undefined ? found : { ...found, image };
  };

  await onHosts(session, 'restore/stage', hosts, (name) =>
    stageSnapshot(session, effects.host(name), surveyed(name), snapshot, cluster),
  );
  const planes = connectedPlanes(session);
  const stopping = context.now();
  const concerned = [...new Set([...planes.map(({ name }) => name), ...hosts])];
  await onHosts(session, 'restore/stop', concerned, (name) => stopControlPlane(effects.host(name), signal));
  await onHosts(session, 'restore/swap', hosts, (name) => {
    const { dataDir } = surveyed(name);
    return swapData(effects.host(name), dataDir, keptAs(dataDir, 'restore', at));
  });
  if (whileStopped !== undefined)
    await onHosts(session, 'restore/versions', concerned, (name) => whileStopped(name));
  await onHosts(session, 'restore/etcd', hosts, async (name) => {
    if (surveyed(name).manifest === null)
      await putManifest(context, effects.host(name), { initialCluster: members });
    await startPods(effects.host(name), ['etcd'], signal);
  });
  await awaitMembers(context, hosts);
  const revision = await compare(session, hosts[0] ?? '', plan.snapshot.keys);
  await onHosts(
    session,
    'restore/api',
    planes.map(({ name }) => name),
    (name) =>
      startPods(effects.host(name), ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler'], signal),
  );
  await Promise.all(planes.map(({ name }) => awaitLocalApi(context, context.reader(name), awaited)));
  const downMs = context.now() - stopping;
  const [plane] = planes;
  const nodes = plane === undefined ? { missing: [], unknown: [] } : await reconcileNodes(session, plane);
  return { plan, revision, nodes, downMs };
}

/** Before any API server writes: etcd has exactly the keys that were counted in the snapshot. @returns its revision */
async function compare({ context }: Session, host: string, keys: number): Promise<number> {
  const client = await etcdOn(context, host);
  try {
    let found = -1;
    await waitUntil(
      async () => {
        found = await client.count();
        return { met: true, state: '' };
      },
      { for: 'etcd to count its keys', deadlineMs: COUNT_MS, signal: context.signal },
    );
    if (found === keys) return (await client.status()).revision;
    throw new KeelsonError('VERIFY', `etcd has ${found} keys, the snapshot ${keys}`, {
      host,
      hint: 'API servers were not started; the old data is kept beside the new. Restore another snapshot',
    });
  } finally {
    await client.close();
  }
}
