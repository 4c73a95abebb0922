import { memberHosts } from '../../config/inventory.js';
import { KeelsonError, toKeelsonError } from '../../errors/keelson-error.js';
import { etcdOn } from '../../phases/etcd-access.js';
import { clusterTrust } from '../cluster-api.js';
import type { Session } from '../session.js';
import { keptAs } from './data-directory.js';
import { type MemberSurvey, surveyMembers } from './survey.js';
import { etcdutl } from './tools.js';

/** What one member still has. Numbers are null where they can't be had. */
export interface Remains {
  host: string;
  name: string;
  state: 'running' | 'stopped' | 'no data' | 'unreachable';
  revision: number | null;
  /** Digest of all keys and values at that revision; equal ones have the same content. */
  hash: number | null;
  /** Terms that this member knows of; only of running ones. */
  raftTerm: number | null;
  /** Entries that it knows to be agreed upon; only of running ones. */
  raftIndex: number | null;
  dbBytes: number | null;
  /** Why it could not be read. */
  problem: string | null;
}

export interface RecoverPlan {
  cluster: string;
  remains: Remains[];
  /** Host whose data the cluster goes on with. */
  chosen: string;
  /** Revisions by which the next best is behind it; null where there is none. */
  ahead: number | null;
  /** Where each reachable member's data is kept. */
  kept: { host: string; path: string }[];
  /** Hosts that are given up. */
  unreachable: string[];
}

export interface RecoverSelection {
  /** Host to go on with; default the freshest. */
  from?: string;
  /** Hosts that can't be reached are gone for good. */
  unreachable: boolean;
}

export interface PreparedRecovery {
  plan: RecoverPlan;
  surveys: MemberSurvey[];
  at: number;
  /** A majority answers already, and only what an interrupted run left undone is to be done. */
  quorum: boolean;
}

/** A stopped database is read within, seconds; one that is locked is never read. */
const READ_SECONDS = 120;

/**
 * What every member still has, and what a recovery would do. Reads only.
 * @throws CONFLICT where etcd has its quorum; CONNECTION for unreachable hosts that were not given up; USAGE for a
 * host that has nothing
 */
export async function prepareRecovery(
  session: Session,
  selection: RecoverSelection,
): Promise<PreparedRecovery> {
  const { context, hosts } = session;
  await clusterTrust(session);
  const surveys = (await surveyMembers(context, hosts)).filter((member) => member.initialised);
  const at = context.now();
  const unreachable = memberHosts(context.config).flatMap(({ name }) => (hosts.has(name) ? [] : [name]));
  const quorum = await hasQuorum(session, surveys);
  if (quorum && !surveys.some(({ aside }) => aside)) {
    throw new KeelsonError('CONFLICT', 'etcd has its quorum: there is nothing to recover', {
      hint: 'keelson etcd status shows its members; a lost one comes back by keelson apply, or leaves by keelson node remove',
    });
  }
  if (unreachable.length > 0 && !selection.unreachable) {
    throw new KeelsonError('CONNECTION', `${unreachable.join(', ')} can't be reached`, {
      hint: 'if they still run, they may be the majority: bring them back. If they are gone for good, cut their power and give --unreachable',
    });
  }
  const remains = await Promise.all([
    ...surveys.map((survey) => remainsOf(session, survey)),
    ...unreachable.map((name) => nothing(name, context.hostNamed(name).nodeRegistration.name, 'unreachable')),
  ]);
  const chosen = choose(remains, selection.from);
  return {
    surveys,
    at,
    quorum,
    plan: {
      cluster: context.config.name,
      remains,
      chosen: chosen.host,
      ahead: leadOf(remains, chosen),
      kept: surveys
        .filter(({ dbBytes }) => dbBytes !== null)
        .map(({ host, dataDir }) => ({ host, path: keptAs(dataDir, 'recover', at) })),
      unreachable,
    },
  };
}

/**
 * The member to go on with: the one with the highest revision; of equals the one that knows more to be agreed upon,
 * then the first of the file.
 * @throws CONFLICT where nobody has anything; USAGE for a `from` that has nothing
 */
export function choose(remains: readonly Remains[], from?: string): Remains {
  const able = remains.filter(({ revision }) => revision !== null);
  if (from !== undefined) {
    const named = able.find(({ host }) => host === from);
    if (named !== undefined) return named;
    throw new KeelsonError('USAGE', `${from} has no data of etcd to go on with`, {
      hint: `hosts with data: ${able.map(({ host }) => host).join(', ') || 'none'}`,
    });
  }
  const [best] = [...able].sort(
    (a, b) => (b.revision ?? 0) - (a.revision ?? 0) || (b.raftIndex ?? 0) - (a.raftIndex ?? 0),
  );
  if (best !== undefined) return best;
  throw new KeelsonError('CONFLICT', 'no member that can be reached has any data', {
    hint: 'bring the cluster back from a snapshot: keelson etcd restore',
  });
}

function leadOf(remains: readonly Remains[], chosen: Remains): number | null {
  const others = remains.flatMap((one) => (one.host === chosen.host ? [] : (one.revision ?? [])));
  return others.length === 0 ? null : (chosen.revision ?? 0) - Math.max(...others);
}

async function hasQuorum({ context }: Session, surveys: readonly MemberSurvey[]): Promise<boolean> {
  const answers = await Promise.all(
    surveys
      .filter(({ running }) => running)
      .map(async ({ host }) => {
        const client = await etcdOn(context, host);
        try {
          await client.members();
          return true;
        } catch (error) {
          if (toKeelsonError(error).code === 'ABORTED') throw error;
          return false;
        } finally {
          await client.close();
        }
      }),
  );
  return answers.includes(true);
}

async function remainsOf(session: Session, survey: MemberSurvey): Promise<Remains> {
  const base = nothing(survey.host, survey.name, 'no data');
  const found = { ...base, dbBytes: survey.dbBytes };
  if (survey.running) {
    const answer = await fromMember(session, survey).catch(toKeelsonError);
    if (!(answer instanceof KeelsonError)) return { ...found, ...answer, state: 'running' };
  }
  if (survey.dbBytes === null) return base;
  try {
    return { ...found, ...(await fromDatabase(session, survey)), state: 'stopped' };
  } catch (error) {
    const { code, message } = toKeelsonError(error);
    if (code === 'ABORTED') throw error;
    return { ...found, state: 'stopped', problem: message };
  }
}

async function fromMember({ context }: Session, { host }: MemberSurvey) {
  const client = await etcdOn(context, host);
  try {
    const { raftTerm, raftIndex, revision } = await client.status();
    const hash = await client.hash().then(
      (answer) => answer.hash,
      () => null,
    );
    return { revision, raftTerm, raftIndex, hash };
  } finally {
    await client.close();
  }
}

async function fromDatabase(session: Session, survey: MemberSurvey) {
  const host = session.effects.host(survey.host);
  const db = `${survey.dataDir}/member/snap/db`;
  const answer = await etcdutl(session, host, survey, ['hashkv', db, '--write-out', 'json'], READ_SECONDS);
  const said = JSON.parse(lastLine(answer.stdout.toString())) as { hash: number; hashRevision: number };
  return { revision: said.hashRevision, hash: said.hash };
}

const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? '';

const nothing = (host: string, name: string, state: Remains['state']): Remains => ({
  host,
  name,
  state,
  revision: null,
  hash: null,
  raftTerm: null,
  raftIndex: null,
  dbBytes: null,
  problem: null,
});
