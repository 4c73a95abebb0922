import type { ClusterClient, KubeObject } from '../../cluster/client.js';
import { refOf } from '../../cluster/client.js';
import type { NetworkSpec } from '../../config/types.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { PROBE_PORT } from '../../manifests/probe.js';
import { allowByLabel, allowByNamespace, denyEgress, denyIngress } from '../../manifests/probe-policies.js';
import { settle } from './ask.js';
import type { CheckRow } from './checks.js';
import { judgeReached, type Verdict } from './judge.js';
import { dial, type NetworkChecks } from './network-checks.js';
import type { ProbePod } from './pods.js';
import { type PolicyPods, startPolicyPods } from './policy-pods.js';

/** Milliseconds that a plugin has to enforce a policy on all nodes. A blocked attempt alone takes five seconds. */
const ENFORCE_MS = 15_000;

export interface PolicyChecks extends Pick<NetworkChecks, 'probe' | 'ask' | 'host' | 'patience'> {
  client: ClusterClient;
  plugin: NetworkSpec['plugin'];
  /** Milliseconds that each policy has to be enforced in; default 15 s. */
  enforceMs?: number;
}

type Group = 'friends' | 'strangers' | 'guests';

/** What holds while some policies are there: who gets through to the server, and who must not. */
interface Case {
  name: string;
  policies: readonly KubeObject[];
  open: readonly Group[];
  blocked: readonly Group[];
}

/**
 * Tries each kind of policy on pods of its own, first without any, so that a way that is not there at all is not
 * taken for a policy that holds. Plugins that are known to have none fail at once.
 */
export async function networkPolicies(checks: PolicyChecks): Promise<CheckRow[]> {
  if (checks.plugin === 'flannel') {
    return [rowOf('failed', 'flannel enforces no network policies: every pod is open to all others')];
  }
  let pods: PolicyPods;
  try {
    pods = await startPolicyPods(checks.client, checks.probe, checks.patience.signal);
  } catch (error) {
    if (!(error instanceof KeelsonError) || error.code !== 'DEADLINE') throw error;
    return [rowOf('failed', error.message)];
  }
  const rows: CheckRow[] = [];
  for (const one of casesOf(checks)) {
    const before = rows.length === 0;
    rows.push(...(await tryCase(checks, pods, one)));
    if (before && rows.some((row) => row.result === 'failed')) {
      rows.push(rowOf('skipped', 'policies can’t be judged where pods don’t reach each other without any'));
      break;
    }
  }
  return rows;
}

function casesOf({ probe: { settings } }: PolicyChecks): Case[] {
  const deny = denyIngress(settings) as KubeObject;
  return [
    { name: 'no policy', policies: [], open: ['friends', 'strangers', 'guests'], blocked: [] },
    { name: 'default deny', policies: [deny], open: [], blocked: ['friends', 'strangers', 'guests'] },
    {
      name: 'allow by label',
      policies: [deny, allowByLabel(settings) as KubeObject],
      open: ['friends'],
      blocked: ['strangers', 'guests'],
    },
    {
      name: 'allow by namespace',
      policies: [deny, allowByNamespace(settings) as KubeObject],
      open: ['guests'],
      blocked: ['friends', 'strangers'],
    },
    {
      name: 'deny egress',
      policies: [denyEgress(settings) as KubeObject],
      open: ['strangers', 'guests'],
      blocked: ['friends'],
    },
  ];
}

async function tryCase(checks: PolicyChecks, pods: PolicyPods, one: Case): Promise<CheckRow[]> {
  const { client, patience } = checks;
  await Promise.all(one.policies.map((policy) => client.apply(policy)));
  try {
    const within = { signal: patience.signal, until: Date.now() + (checks.enforceMs ?? ENFORCE_MS) };
    const ways = [
      ...one.open.map((group) => ({ group, open: true })),
      ...one.blocked.map((group) => ({ group, open: false })),
    ].flatMap(({ group, open }) => pods[group].map((from) => ({ from, group, open })));
    return await Promise.all(
      ways.map(async ({ from, group, open }) => {
        const place = { check: 'network-policy', from: from.host, to: pods.server.host } as const;
        const row = await settle(place, within, async () => {
          const attempts = await reach(checks, from, pods.server);
          return open ? allPass(attempts) : nonePass(attempts);
        });
        const what = `${one.name}: ${group} ${open ? 'get through' : 'are blocked'}`;
        return { ...row, detail: row.result === 'passed' ? what : `${what}, but ${row.detail}` };
      }),
    );
  } finally {
    await Promise.all(one.policies.map((policy) => client.remove(refOf(policy)).catch(() => undefined)));
  }
}

/** One attempt at each address of the server. */
function reach(checks: PolicyChecks, from: ProbePod, server: ProbePod): Promise<Verdict[]> {
  return Promise.all(
    server.addresses.map(async (host) =>
      judgeReached(
        await dial(checks, from, { host, port: PROBE_PORT, request: 'hostname', tries: 1 }),
        server.name,
      ),
    ),
  );
}

function allPass(attempts: readonly Verdict[]): Verdict {
  return attempts.find((one) => !one.passed) ?? { passed: true, detail: '' };
}

/** Only connections that did not come about count as blocked; a probe pod that gave no report tells nothing. */
function nonePass(attempts: readonly Verdict[]): Verdict {
  if (attempts.some((one) => one.passed)) return { passed: false, detail: 'they get through' };
  const silent = attempts.find((one) => one.detail.startsWith('the probe pod'));
  return silent ?? { passed: true, detail: '' };
}

function rowOf(result: CheckRow['result'], detail: string): CheckRow {
  return { check: 'network-policy', from: '', to: '', result, durationMs: 0, detail };
}
