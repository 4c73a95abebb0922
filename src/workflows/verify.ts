import { type ClusterClient, clusterClient } from '../cluster/client.js';
import { controlPlanes, nodeHosts } from '../config/inventory.js';
import { eitherSignal } from '../engine/signals.js';
import { KeelsonError, toKeelsonError } from '../errors/keelson-error.js';
import { withLock } from './lock.js';
import { observeTrust } from './require.js';
import type { Session } from './session.js';
import { asker, type Patience } from './verify/ask.js';
import { type CheckName, type CheckRow, reportOf, type VerifyReport } from './verify/checks.js';
import {
  execInto,
  type KubeletChecks,
  kubectlLimit,
  portForward,
  readLogs,
} from './verify/kubelet-checks.js';
import {
  apiToPod,
  clusterIp,
  dns,
  type NetworkChecks,
  nodePort,
  podless,
  podToPod,
  serviceGate,
} from './verify/network-checks.js';
import { nodeProblem } from './verify/pods.js';
import { networkPolicies } from './verify/policy-checks.js';
import { type Probe, withProbe } from './verify/probe.js';
import { reschedule } from './verify/reschedule.js';

/** Milliseconds in which new services and names have to have reached every node. */
const SETTLE_MS = 10_000;
/** Checks that need no probe pods. */
const PODLESS: readonly CheckName[] = ['api', 'nodes'];

export interface VerifyOptions {
  /** See `selectChecks`. */
  checks: ReadonlySet<CheckName>;
  /** Soft stop: no further check; what was made is taken away all the same. */
  stop?: AbortSignal;
  /** Who holds the lock, as others are told. */
  owner: string;
}

/**
 * Proves that the cluster works, with pods of the bundle's probe image in a namespace of their own, which is gone
 * again when this returns. A check that fails is a row of the report, no error.
 * @throws CONFLICT where there is no cluster yet, LOCKED, ABORTED, CONNECTION to a host, BUNDLE
 */
export async function verifyCluster(session: Session, options: VerifyOptions): Promise<VerifyReport> {
  const { context } = session;
  const started = context.now();
  const signal = eitherSignal(context.signal, options.stop);
  return withLock(session, { owner: options.owner, run: 'verify', duringRotation: true }, async () => {
    const client = await adminClient(session);
    const apis = controlPlaneApis(session, client);
    try {
      const rows = await verified({ session, client, apis, signal, checks: options.checks });
      return reportOf(context.config.name, rows, context.now() - started);
    } finally {
      await Promise.all([...apis.values()].filter((api) => api !== client).map((api) => api.close()));
    }
  });
}

interface Run {
  session: Session;
  /** Client of the first control plane's API server. */
  client: ClusterClient;
  /** Clients of all control planes' API servers, by host. */
  apis: ReadonlyMap<string, ClusterClient>;
  signal: AbortSignal;
  checks: ReadonlySet<CheckName>;
}

async function verified(run: Run): Promise<CheckRow[]> {
  const { session, client, apis, checks } = run;
  const apiRows = await Promise.all([...apis].map(([host, api]) => apiRow(host, api)));
  const rows = apiRows.filter((row) => checks.has('api') || row.result === 'failed');
  if (apiRows[0]?.result === 'failed') {
    const left = [...checks].filter((check) => check !== 'api');
    return [
      ...rows,
      ...left.map((check) => skippedRow(check, 'the API of the first control plane does not answer')),
    ];
  }
  if (checks.has('nodes')) rows.push(...(await nodeRows(session, client)));
  if ([...checks].some((check) => !PODLESS.includes(check))) {
    const { result, cleanup } = await withProbe(session, client, run.signal, (probe) =>
      runChecks(run, probe),
    );
    rows.push(...result, ...(checks.has('cleanup') || cleanup.result === 'failed' ? [cleanup] : []));
  }
  return rows;
}

function skippedRow(check: CheckName, detail: string): CheckRow {
  return { check, from: '', to: '', result: 'skipped', durationMs: 0, detail };
}

/** The session's API client, with the admin identity read from the first control plane. */
async function adminClient(session: Session): Promise<ClusterClient> {
  const { context } = session;
  await observeTrust(session);
  const client = context.api();
  if (client !== null) return client;
  throw new KeelsonError('CONFLICT', 'there is no cluster to verify: no admin kubeconfig was found', {
    host: context.first.name,
    hint: 'run keelson apply first',
  });
}

async function apiRow(host: string, api: ClusterClient): Promise<CheckRow> {
  const started = performance.now();
  const row = (result: CheckRow['result'], detail: string): CheckRow => {
    const durationMs = Math.round(performance.now() - started);
    return { check: 'api', from: '', to: host, result, durationMs, detail };
  };
  try {
    await api.request('GET', '/readyz', { timeoutMs: 5000 });
    return row('passed', '');
  } catch (thrown) {
    const error = toKeelsonError(thrown);
    if (error.code !== 'CONNECTION' && error.code !== 'API') throw thrown;
    return row('failed', error.message.replaceAll('\n', ' ').slice(0, 300));
  }
}

async function nodeRows({ context }: Session, client: ClusterClient): Promise<CheckRow[]> {
  const started = performance.now();
  const nodes = await client.list('/api/v1/nodes');
  const durationMs = Math.round(performance.now() - started);
  return nodeHosts(context.config).map((host) => {
    const node = nodes.find((one) => one.metadata.name === host.nodeRegistration.name);
    const problem = nodeProblem(node);
    const version = (node?.status as { nodeInfo?: { kubeletVersion?: string } } | undefined)?.nodeInfo;
    return {
      check: 'nodes',
      from: '',
      to: host.name,
      result: problem === null ? 'passed' : 'failed',
      durationMs,
      detail: problem ?? version?.kubeletVersion ?? '',
    };
  });
}

async function runChecks(run: Run, probe: Probe): Promise<CheckRow[]> {
  const { session, client, apis, signal, checks } = run;
  const { context, effects } = session;
  const { cluster } = context.config;
  const ask = asker(signal);
  const patience: Patience = { signal, until: Date.now() + SETTLE_MS };
  const kubernetes = await client.get({ apiVersion: 'v1', kind: 'Service', name: 'kubernetes' });
  const network: NetworkChecks = {
    probe,
    ask,
    patience,
    host: effects.host,
    dnsDomain: cluster.networking.dnsDomain,
    kubernetesService: (kubernetes?.spec as { clusterIPs?: string[] } | undefined)?.clusterIPs ?? [],
    apis,
    serviceKnown: serviceGate({ probe, ask, patience, host: effects.host }),
  };
  const kubelets: KubeletChecks = {
    probe,
    patience,
    controlPlane: effects.host(context.first.name),
    client,
  };
  const limit = kubectlLimit();
  const table: Partial<Record<CheckName, () => Promise<CheckRow[]>>> = {
    'pod-to-pod': () => podToPod(network),
    'api-to-pod': () => apiToPod(network),
    'cluster-ip': () => clusterIp(network),
    'node-port': () => nodePort(network),
    dns: () =>
      cluster.dns.disabled === true
        ? Promise.resolve([skippedRow('dns', 'dns.disabled is set')])
        : dns(network),
    exec: () => execInto(kubelets, limit),
    logs: () => readLogs(kubelets),
    'port-forward': () => portForward(kubelets, limit),
  };
  const rows = await Promise.all(
    [...checks].map(async (check) => {
      const rowsOf = table[check];
      if (rowsOf === undefined) return [];
      const missing = check === 'node-port' ? [] : podless(probe, check, probe.hosts);
      return [...(await rowsOf()), ...missing];
    }),
  );
  const { plugin } = context.config.spec.network;
  const policies = checks.has('network-policy') ? await networkPolicies({ ...network, client, plugin }) : [];
  // Last and alone: it takes a node away from under the others.
  const moved = checks.has('reschedule') ? await reschedule({ session, client, probe, ask, signal }) : [];
  // A missing pod leaves other checks without a way to tell, so it counts even where it was not asked about.
  const pods = probe.rows.filter((row) => checks.has('pods') || row.result === 'failed');
  return [...pods, ...rows.flat(), ...policies, ...moved];
}

/** Clients of all control planes' API servers, each through its own host, the first one first. */
function controlPlaneApis({ context, hosts }: Session, first: ClusterClient): Map<string, ClusterClient> {
  const admin = context.trust.admin();
  const result = new Map([[context.first.name, first]]);
  for (const { name, localAPIEndpoint } of controlPlanes(context.config)) {
    const host = hosts.get(name);
    if (admin === null || host === undefined || name === context.first.name) continue;
    const endpoint = { address: localAPIEndpoint.advertiseAddress, port: localAPIEndpoint.bindPort };
    result.set(name, clusterClient(host, endpoint, admin, context.signal));
  }
  return result;
}
