import { fileTime } from '../../backup/snapshot-name.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { putManifest } from '../../phases/etcd/hosts.js';
import { joinMember } from '../../phases/etcd/join-member.js';
import { etcdOn } from '../../phases/etcd-access.js';
import { awaitMembers } from '../../phases/etcd-serving.js';
import { awaitLocalApi } from '../../phases/local-api.js';
import { withLock } from '../lock.js';
import type { Session } from '../session.js';
import { connectedPlanes, type NodeFindings, reconcileNodes } from './control-planes.js';
import { keptAs, PUT_AWAY, SETTLE, stageDatabase, swapData } from './data-directory.js';
import { prepareRecovery, type RecoverPlan, type RecoverSelection } from './recover-plan.js';
import { refuseObstacles } from './restore-plan.js';
import { startPods, stopControlPlane } from './static-pods.js';
import { onHosts } from './steps.js';
import { type MemberSurvey, surveyMembers } from './survey.js';

export interface RecoverOptions extends RecoverSelection {
  /** Who holds the lock, as others are told. */
  owner: string;
}

export interface RecoverResult {
  plan: RecoverPlan;
  revision: number;
  /** Hosts whose members joined the one that was left. */
  regrown: string[];
  nodes: NodeFindings;
  /** Until the first API server was ready. */
  servingMs: number;
  durationMs: number;
}

const API_PODS = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler'] as const;

/**
 * Brings back an etcd that lost its quorum: everything is stopped, the freshest member becomes a cluster of its own,
 * the others join it as learners, one at a time. Every data directory is kept. Interrupted anywhere, it is run again.
 * @throws CONFLICT where there is nothing to recover, or nothing to recover from; CONNECTION, PREFLIGHT, LOCKED,
 * DEADLINE, ABORTED
 */
export async function recoverEtcd(session: Session, options: RecoverOptions): Promise<RecoverResult> {
  const { context, emit } = session;
  const started = context.now();
  const run = 'etcd recover';
  return withLock(session, { owner: options.owner, run }, async () => {
    await settle(session);
    const prepared = await prepareRecovery(session, options);
    const { plan, surveys, at, quorum } = prepared;
    emit({ type: 'run-started', run, hosts: surveys.map(({ host }) => host), tasks: surveys.length });
    let ok = false;
    try {
      if (!quorum) await beginAnew(session, plan, surveys, at);
      const through = quorum ? await answering(session, surveys) : plan.chosen;
      const result = await regrow(session, surveys, through, started);
      ok = true;
      return { plan, ...result, durationMs: context.now() - started };
    } finally {
      const durationMs = context.now() - started;
      emit({ type: 'run-finished', run, ok, changed: ok ? surveys.length : 0, durationMs });
    }
  });
}

/** Ends the exchange of directories that an interrupted run began. */
async function settle({ context, hosts, effects }: Session): Promise<void> {
  for (const { host, dataDir, unsettled } of await surveyMembers(context, hosts))
    if (unsettled) await effects.host(host).script({ name: 'etcd/settle', text: SETTLE, args: [dataDir] });
}

/** Leaves one member, in a cluster of its own that has the freshest data. */
async function beginAnew(
  session: Session,
  plan: RecoverPlan,
  surveys: readonly MemberSurvey[],
  at: number,
): Promise<void> {
  const { context, effects } = session;
  const { signal } = context;
  const chosen = surveys.find(({ host }) => host === plan.chosen);
  if (chosen === undefined) throw new KeelsonError('BUG', `${plan.chosen} was not looked at`);
  refuseObstacles([chosen], chosen.dbBytes ?? 0);
  const host = effects.host(chosen.host);
  const members = [{ name: chosen.name, peerURL: chosen.peerURL }];
  const token = `${context.config.name}-${fileTime(at)}`;
  const planes = connectedPlanes(session).map(({ name }) => name);
  const concerned = [...new Set([...planes, ...surveys.map((survey) => survey.host)])];
  await onHosts(session, 'recover/stop', concerned, (name) => stopControlPlane(effects.host(name), signal));
  await onHosts(session, 'recover/swap', [chosen.host], async () => {
    await stageDatabase(session, host, chosen, { members, token });
    await swapData(host, chosen.dataDir, keptAs(chosen.dataDir, 'recover', at));
  });
  const others = surveys.filter((survey) => survey !== chosen);
  await onHosts(
    session,
    'recover/put-away',
    others.map((survey) => survey.host),
    async (name) => {
      const dataDir = others.find((survey) => survey.host === name)?.dataDir ?? '';
      const args = [dataDir, keptAs(dataDir, 'recover', at)];
      await effects
        .host(name)
        .script({ name: 'etcd/put-away', text: PUT_AWAY, args }, { timeoutMs: 300_000 });
    },
  );
  await onHosts(session, 'recover/etcd', [chosen.host], async () => {
    if (chosen.manifest === null) await putManifest(context, host, { initialCluster: members });
    await startPods(host, ['etcd'], signal);
  });
  await awaitMembers(context, [chosen.host]);
}

/** A host whose member answers with a leader. */
async function answering({ context }: Session, surveys: readonly MemberSurvey[]): Promise<string> {
  for (const { host, running } of surveys) {
    if (!running) continue;
    const client = await etcdOn(context, host);
    try {
      await client.members();
      return host;
    } catch (error) {
      if (!(error instanceof KeelsonError) || error.code === 'ABORTED') throw error;
    } finally {
      await client.close();
    }
  }
  throw new KeelsonError('CONFLICT', 'no member answers any more', { hint: 'run this again' });
}

/** The API comes back on the host of `through` first; then the other members join, each before its API server. */
async function regrow(
  session: Session,
  surveys: readonly MemberSurvey[],
  through: string,
  started: number,
): Promise<Omit<RecoverResult, 'plan' | 'durationMs'>> {
  const { context, effects } = session;
  const { signal } = context;
  const planes = connectedPlanes(session);
  const phase = 'recover/api';
  const api = (names: readonly string[]) => {
    const wanted = planes.filter(({ name }) => names.includes(name));
    return onHosts(
      session,
      phase,
      wanted.map(({ name }) => name),
      (name) => startPods(effects.host(name), API_PODS, signal),
    ).then(async () => {
      await Promise.all(wanted.map(({ name }) => awaitLocalApi(context, context.reader(name))));
    });
  };
  const memberless = planes.filter(({ name }) => !surveys.some(({ host }) => host === name));
  await api([through, ...memberless.map(({ name }) => name)]);
  const servingMs = context.now() - started;
  const regrown: string[] = [];
  for (const { host } of surveys) {
    if (host === through) continue;
    await onHosts(session, 'recover/join', [host], async () => {
      if (await joined(session, through, host)) return startPods(effects.host(host), ['etcd'], signal);
      // Its manifest is written anew, with the members that there are now.
      await joinMember(context, effects.host(host), through);
      regrown.push(host);
    });
    await api([host]);
  }
  const client = await etcdOn(context, through);
  try {
    const { revision } = await client.status();
    const plane = planes.find(({ name }) => name === through) ?? planes[0];
    const nodes = plane === undefined ? { missing: [], unknown: [] } : await reconcileNodes(session, plane);
    return { revision, regrown, nodes, servingMs };
  } finally {
    await client.close();
  }
}

/** Whether a host's member is a voter that has started. */
async function joined({ context }: Session, through: string, host: string): Promise<boolean> {
  const name = context.hostNamed(host).nodeRegistration.name;
  const client = await etcdOn(context, through);
  try {
    return (await client.members()).some((member) => member.name === name && !member.learner);
  } finally {
    await client.close();
  }
}
