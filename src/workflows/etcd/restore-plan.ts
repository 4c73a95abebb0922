import type { OpenSnapshot } from '../../backup/open-snapshot.js';
import { controlPlanes, memberHosts } from '../../config/inventory.js';
import { KeelsonError, toKeelsonError } from '../../errors/keelson-error.js';
import { combineFailures } from '../../host/pool.js';
import { etcdOn } from '../../phases/etcd-access.js';
import { clusterTrust } from '../cluster-api.js';
import type { Session } from '../session.js';
import { keptAs, neededBytes } from './data-directory.js';
import { type MemberSurvey, surveyMembers } from './survey.js';

/** What a restore does to one host. */
interface RestoreMember {
  host: string;
  name: string;
  /** Where its data is kept; null where it has none. */
  keptAs: string | null;
}

export interface RestorePlan {
  cluster: string;
  snapshot: {
    file: string;
    revision: number;
    keys: number;
    /** ISO 8601. */
    takenAt: string;
    ageMs: number;
    objects: Record<string, number>;
    sha256: string;
  };
  /** Revision that etcd has now; null where nobody answers. */
  currentRevision: number | null;
  members: RestoreMember[];
  /** Hosts of the file that have nothing of a cluster yet: they join later. */
  joinLater: string[];
  /** What deserves a second look, one sentence each. */
  warnings: string[];
}

export interface PreparedRestore {
  plan: RestorePlan;
  surveys: MemberSurvey[];
  /** One time for all names that a run gives. */
  at: number;
}

/**
 * What a restore would do. Reads only.
 * @throws CONNECTION where a host of the file can't be reached, PREFLIGHT for what keeps a host from being restored
 */
export async function prepareRestore(session: Session, snapshot: OpenSnapshot): Promise<PreparedRestore> {
  const { context, hosts } = session;
  const { config } = context;
  refuseUnreached(session);
  await clusterTrust(session);
  const all = await surveyMembers(context, hosts);
  const surveys = all.filter((member) => member.initialised);
  const joinLater = all.filter((member) => !member.initialised).map((member) => member.host);
  if (surveys.length === 0) {
    throw new KeelsonError('CONFLICT', 'no host of the file has the certificates of an etcd member', {
      hint: 'put the authorities in place (see docs/backups.md), run keelson init, then restore',
    });
  }
  refuseObstacles(surveys, snapshot.digest.size);
  const currentRevision = await revisionNow(session, surveys);
  const at = context.now();
  const { contents, digest } = snapshot;
  return {
    surveys,
    at,
    plan: {
      cluster: config.name,
      snapshot: {
        file: snapshot.file,
        revision: contents.revision,
        keys: contents.keys,
        takenAt: new Date(snapshot.takenAt).toISOString(),
        ageMs: Math.max(0, at - snapshot.takenAt),
        objects: contents.objects,
        sha256: digest.sha256,
      },
      currentRevision,
      members: surveys.map(({ host, name, dataDir, dbBytes }) => ({
        host,
        name,
        keptAs: dbBytes === null ? null : keptAs(dataDir, 'restore', at),
      })),
      joinLater,
      warnings: warningsOf(config.name, surveys, snapshot),
    },
  };
}

/** A member that is left out would go on with the old data, so each has to be there or be given up in the file. */
function refuseUnreached({ context, hosts, failures }: Session): void {
  const needed = [...memberHosts(context.config), ...controlPlanes(context.config)].map(({ name }) => name);
  if (memberHosts(context.config).length === 0) {
    throw new KeelsonError('CONFLICT', 'etcd is run elsewhere: keelson looks after its own members only');
  }
  const missing = [...new Set(needed)].filter((name) => !hosts.has(name));
  const errors = missing.flatMap((name) => failures.get(name) ?? []);
  if (errors.length === 0) return;
  const error = combineFailures(errors, needed.length);
  throw new KeelsonError(error.code, error.message, {
    host: error.host,
    cause: error,
    hint: `bring ${missing.join(', ')} back; where a host is gone for good, give it state: absent in the cluster file`,
  });
}

export function refuseObstacles(surveys: readonly MemberSurvey[], snapshotBytes: number): void {
  const needed = neededBytes(snapshotBytes);
  const obstacles = surveys.flatMap(({ host, obstacle, freeBytes, dataDir }) => [
    ...(obstacle === null ? [] : [`${host}: ${obstacle}`]),
    ...(freeBytes >= needed
      ? []
      : [`${host}: ${dataDir} has ${mebibytes(freeBytes)} MiB free, ${mebibytes(needed)} MiB are needed`]),
  ]);
  if (obstacles.length === 0) return;
  throw new KeelsonError('PREFLIGHT', obstacles.join('; '), {
    hint: 'nothing was changed; set that right and run this again',
  });
}

const mebibytes = (bytes: number) => Math.floor(bytes / 1024 ** 2);

/** The highest revision that a running member tells; null where none does. */
async function revisionNow({ context }: Session, surveys: readonly MemberSurvey[]): Promise<number | null> {
  const revisions = await Promise.all(
    surveys
      .filter(({ running }) => running)
      .map(async ({ host }) => {
        const client = await etcdOn(context, host);
        try {
          return (await client.status()).revision;
        } catch (error) {
          if (toKeelsonError(error).code === 'ABORTED') throw error;
          return 0;
        } finally {
          await client.close();
        }
      }),
  );
  const highest = Math.max(0, ...revisions);
  return highest === 0 ? null : highest;
}

function warningsOf(cluster: string, surveys: readonly MemberSurvey[], snapshot: OpenSnapshot): string[] {
  const theirs = snapshot.contents.members;
  const strangers = theirs.length > 0 && !surveys.some(({ name }) => theirs.includes(name));
  return [
    ...(snapshot.cluster !== null && snapshot.cluster !== cluster
      ? [`by its name the snapshot is of ${snapshot.cluster}, not of ${cluster}`]
      : []),
    ...(strangers ? [`none of its members (${theirs.join(', ')}) is a host of the file`] : []),
    ...(surveys.some(({ aside }) => aside) ? ['an earlier run was interrupted; this one begins anew'] : []),
  ];
}
