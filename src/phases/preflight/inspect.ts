import { mergeRequests, viewFor } from '../../engine/observe.js';
import type { Readers } from '../../engine/phase.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import type { ReadRequest, ReadResult } from '../../host/types.js';
import type { PhaseContext } from '../context.js';
import { nearestBundle } from '../host-bundle.js';
import type { Finding, Outcome, Subject, Target } from './check.js';
import { CHECKS } from './checks.js';
import { judgeExternalEtcd } from './external-etcd.js';
import { judgeReach, reachRequest } from './reach.js';
import { members, standingOf, standingProbes } from './standing.js';

const STANDING = 'standing';
const READ_TIMEOUT_MS = 30_000;

/**
 * Looks at all hosts at once, in one round trip each, and in a second one from host to host where one of the two
 * is not a member yet. Reads only.
 * @returns findings in the order of the inventory, `ok` ones included
 */
export async function inspectHosts(context: PhaseContext, readers: Readers): Promise<Finding[]> {
  const seen = new Map<string, ReadResult>();
  const options = { signal: context.signal, timeoutMs: READ_TIMEOUT_MS };
  const names = context.inventory.map(({ name }) => name).filter((name) => readers.has(name));
  await Promise.all(
    names.map(async (name) => {
      const result = await readers.get(name)?.read(hostRequest(targetOf(context, name)), options);
      if (result !== undefined) seen.set(name, result);
    }),
  );
  const subjects = subjectsOf(context, seen);
  const judged = judgeHosts(subjects);
  const reached = await Promise.all(
    subjects.map(async (subject) => {
      const request = reachRequest(subject, subjects);
      const reader = readers.get(subject.host.name);
      return request === null || reader === undefined ? null : reader.read(request, options);
    }),
  );
  const etcd = await Promise.all(
    subjects.map(async (subject) => {
      const reader = readers.get(subject.host.name);
      return reader === undefined ? [] : judgeExternalEtcd(context, subject, reader);
    }),
  );
  return subjects.flatMap((subject, index) =>
    [
      ...(judged[index] ?? []),
      ...judgeReach(subject, subjects, reached[index] ?? null),
      ...(etcd[index] ?? []),
    ].map((outcome): Finding => ({ ...outcome, host: subject.host.name })),
  );
}

function targetOf(context: PhaseContext, name: string): Target {
  const { config, first } = context;
  const { lock } = nearestBundle(context, name);
  return { config, host: context.hostNamed(name), lock, first: name === first.name };
}

/** The probes of all checks in one request. */
function hostRequest(target: Target): ReadRequest {
  const requests = new Map<string, ReadRequest>([[STANDING, { probes: standingProbes(target) }]]);
  for (const { id, probes } of CHECKS) {
    if (probes !== undefined) requests.set(id, { probes: probes(target) });
  }
  return mergeRequests(requests);
}

function subjectsOf(context: PhaseContext, seen: ReadonlyMap<string, ReadResult>): Subject[] {
  const standings = new Map(
    [...seen].map(([name, result]) => [name, standingOf(viewFor(STANDING, result))] as const),
  );
  const joined = members(standings, context.first.name);
  return context.inventory.flatMap(({ name }) => {
    const result = seen.get(name);
    const standing = standings.get(name);
    if (result === undefined || standing === undefined) return [];
    const facts = context.facts.get(name);
    if (facts === undefined) throw new KeelsonError('BUG', `nothing is known of ${name}`);
    return {
      ...targetOf(context, name),
      facts,
      seen: result,
      standing,
      member: joined.has(name),
      clusterCa: standings.get(context.first.name)?.ca ?? null,
      clusterExists: joined.has(context.first.name),
    };
  });
}

/** What all checks say of each host, in the order of the checks; a check sees its own probes of all hosts. Pure. */
function judgeHosts(subjects: readonly Subject[]): Outcome[][] {
  const checks = CHECKS.map(({ id, judge }) => {
    const all = subjects.map((subject) => ({ ...subject, seen: viewFor(id, subject.seen) }));
    return all.map((subject) => judge(subject, all));
  });
  return subjects.map((_, index) => checks.flatMap((outcomes) => outcomes[index] ?? []));
}
