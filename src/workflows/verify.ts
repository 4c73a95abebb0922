import { type ClusterClient, clusterClient } from '../cluster/client.js';
import { controlPlanes, presentHosts } from '../config/inventory.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { withLock } from './lock.js';
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
} from './verify/network-checks.js';
import { nodeProblem } from './verify/pods.js';
import { type Probe, withProbe } from './verify/probe.js';
import { reschedule } from './verify/reschedule.js';

/** Milliseconds in which new services and names have to have reached every node. */
const SETTLE_MS = 10_000;

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
 * @throws CONFLICT where there is no cluster yet, LOCKED, ABORTED, CONNECTION to the API, BUNDLE
 */
export async function verifyCluster(session: Session, options: VerifyOptions): Promise<VerifyReport> {
  const { context, emit } = session;
  const started = context.now();
  const signal =
    options.stop === undefined ? context.signal : AbortSignal.any([options.stop, context.signal]);
  return withLock(session, { owner: options.owner, run: 'verify' }, async () => {
    const client = await adminClient(session);
    emit({
      type: 'run-started',
      run: 'verify',
      hosts: context.inventory.map((host) => host.name),
      tasks: options.checks.size,
    });
    let ok = false;
    try {
      const rows = options.checks.has('nodes') ? await nodeRows(session, client) : [];
      if ([...options.checks].some((check) => check !== 'nodes')) {
        const probed = await withProbe(session, client, signal, (probe) =>
          runChecks({ session, client, probe, signal, checks: options.checks }),
        );
        rows.push(...probed);
      }
      const report = reportOf(context.config.name, rows, context.now() - started);
      ok = report.ok;
      return report;
    } finally {
      emit({ type: 'run-finished', run: 'verify', ok, changed: 0, durationMs: context.now() - started });
    }
  });
}

/** The session's API client, with the admin identity read from the first control plane. */
async function adminClient({ context, effects }: Session): Promise<ClusterClient> {
  const { name } = context.first;
  context.trust.observed(name, await effects.host(name).read(context.trust.request(name)));
  const client = context.api();
  if (client !== null) return client;
  throw new KeelsonError('CONFLICT', 'there is no cluster to verify: no admin kubeconfig was found', {
    host: name,
    hint: 'run keelson apply first',
  });
}

async function nodeRows({ context }: Session, client: ClusterClient): Promise<CheckRow[]> {
  const started = performance.now();
  const nodes = await client.list('/api/v1/nodes');
  const durationMs = Math.round(performance.now() - started);
  return presentHosts(context.config).map((host) => {
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

interface Run {
  session: Session;
  client: ClusterClient;
  probe: Probe;
  signal: AbortSignal;
  checks: ReadonlySet<CheckName>;
}

async function runChecks({ session, client, probe, signal, checks }: Run): Promise<CheckRow[]> {
  const { context, effects } = session;
  const { cluster } = context.config;
  const ask = asker(signal);
  const patience: Patience = { signal, until: Date.now() + SETTLE_MS };
  const others = otherApis(session, signal);
  const kubernetes = await client.get({ apiVersion: 'v1', kind: 'Service', name: 'kubernetes' });
  const network: NetworkChecks = {
    probe,
    ask,
    patience,
    host: effects.host,
    dnsDomain: cluster.networking.dnsDomain,
    kubernetesService: (kubernetes?.spec as { clusterIPs?: string[] } | undefined)?.clusterIPs ?? [],
    apis: new Map([[context.first.name, client], ...others]),
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
    dns: () => (cluster.dns.disabled === true ? disabled('dns', 'dns.disabled') : dns(network)),
    exec: () => execInto(kubelets, limit),
    logs: () => readLogs(kubelets),
    'port-forward': () => portForward(kubelets, limit),
  };
  try {
    const rows = await Promise.all(
      [...checks].map(async (check) => {
        const run = table[check];
        if (run === undefined) return [];
        const missing = check === 'node-port' ? [] : podless(probe, check, probe.hosts);
        return [...(await run()), ...missing];
      }),
    );
    // Last and alone: it takes a node away from under the others.
    const moved = checks.has('reschedule') ? await reschedule({ session, client, probe, ask, signal }) : [];
    // A missing pod leaves other checks without a way to tell, so it counts even where it was not asked about.
    const pods = probe.rows.filter((row) => checks.has('pods') || row.result === 'failed');
    return [...pods, ...rows.flat(), ...moved];
  } finally {
    await Promise.all([...others.values()].map((api) => api.close()));
  }
}

async function disabled(check: CheckName, field: string): Promise<CheckRow[]> {
  return [{ check, from: '', to: '', result: 'skipped', durationMs: 0, detail: `${field} is set` }];
}

/** Clients of the other control planes' API servers, each through its own host. */
function otherApis({ context, hosts }: Session, signal: AbortSignal): Map<string, ClusterClient> {
  const admin = context.trust.admin();
  const result = new Map<string, ClusterClient>();
  for (const { name, localAPIEndpoint } of controlPlanes(context.config)) {
    const host = hosts.get(name);
    if (admin === null || host === undefined || name === context.first.name) continue;
    const endpoint = { address: localAPIEndpoint.advertiseAddress, port: localAPIEndpoint.bindPort };
    result.set(name, clusterClient(host, endpoint, admin, signal));
  }
  return result;
}
