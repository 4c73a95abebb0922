import { clusterClient } from '../cluster/client.js';
import { componentHealth } from '../cluster/component-health.js';
import { controlPlanes, etcdHosts, nodeHosts } from '../config/inventory.js';
import { KeelsonError, toKeelsonError } from '../errors/keelson-error.js';
import { servedOn } from '../phases/served.js';
import { readKubeconfig } from '../pki/kubeconfig.js';
import { changesIn, makePlan } from './plan.js';
import type { Session } from './session.js';
import {
  type AddonStatus,
  type ApiStatus,
  type ComponentStatus,
  clusterView,
  componentsOf,
  type NodeStatus,
} from './status-cluster.js';
import { type CertificateStatus, type HostStatus, hostStatus, unreachableStatus } from './status-hosts.js';

export interface ClusterStatus {
  cluster: string;
  /** Everything below is as it should be; drift and coming expiry are no ill health. */
  healthy: boolean;
  /** What is not, one sentence each. */
  problems: string[];
  hosts: HostStatus[];
  nodes: NodeStatus[];
  api: ApiStatus;
  controlPlane: ComponentStatus[];
  addons: AddonStatus[];
  certificates: { soonest: CertificateStatus | null; expiring: CertificateStatus[] };
  /** Changes that an apply would make; null where that could not be found out, and why. */
  drift: { changes: number | null; reason?: string };
}

export interface StatusOptions {
  /** Whether it is found out what an apply would change, for which every host's files are read. Default true. */
  drift?: boolean;
  /**
   * Whether a component whose pod is not Ready is asked itself: its kubelet says so ten to twenty seconds after it is.
   * Of etcd `etcdStatus` tells. Default false.
   */
  ask?: boolean;
}

/** Certificates with fewer days left are named. */
export const EXPIRING_DAYS = 30;

const ADMIN_CONF = '/etc/kubernetes/admin.conf';

/**
 * The cluster at a glance: hosts, nodes, control plane, add-ons, certificates, drift. Reads only, everything in
 * parallel. Give it a tolerant session: hosts that can't be reached are part of the answer.
 */
export async function clusterStatus(
  session: Session,
  { drift: lookForDrift = true, ask = false }: StatusOptions = {},
): Promise<ClusterStatus> {
  const { context } = session;
  const { config } = context;
  const [hosts, view, drift] = await Promise.all([
    hostsOf(session),
    viewOf(session),
    lookForDrift ? driftOf(session) : { changes: null, reason: 'not looked at' },
  ]);
  const certificates = hosts
    .flatMap((host) => host.certificates)
    .sort((a, b) => Date.parse(a.expires) - Date.parse(b.expires));
  const statuses = hosts.map((host) => host.status);
  const members = etcdHosts(config).map(({ name }): ComponentStatus => {
    const status = statuses.find((candidate) => candidate.name === name);
    return { host: name, component: 'etcd', state: processState('etcd', status) };
  });
  const seen = controlPlanes(config).flatMap((host): ComponentStatus[] => {
    const status = statuses.find((candidate) => candidate.name === host.name);
    return componentsOf(config).map((component) => ({
      host: host.name,
      component,
      state: stateOf(component, host.nodeRegistration.name, status, view),
    }));
  });
  const controlPlane = ask ? await Promise.all(seen.map((one) => asked(session, one))) : seen;
  const partial = {
    cluster: config.name,
    hosts: statuses,
    nodes: view.nodes,
    api: view.api,
    controlPlane: [...members, ...controlPlane],
    addons: view.addons,
    certificates: {
      soonest: certificates[0] ?? null,
      expiring: certificates.filter((certificate) => certificate.daysLeft < EXPIRING_DAYS),
    },
    drift:
      view.api.reachable || drift.changes === null ? drift : { ...drift, reason: 'the API does not answer' },
  };
  const wanted = nodeHosts(config).map((host) => host.nodeRegistration.name);
  const problems = problemsOf(partial, wanted);
  return { ...partial, healthy: problems.length === 0, problems };
}

async function hostsOf({ context, hosts, failures }: Session) {
  const options = { now: context.now(), certificatesDir: context.config.cluster.certificatesDir };
  return Promise.all(
    context.inventory.map(async ({ name, role }) => {
      const gone = (error: KeelsonError) => ({
        status: unreachableStatus(name, role, error),
        certificates: [],
      });
      const host = hosts.get(name);
      if (host === undefined) {
        return gone(failures.get(name) ?? new KeelsonError('CONNECTION', 'not connected'));
      }
      try {
        return await hostStatus(host, role, context.facts.get(name), options);
      } catch (error) {
        return gone(toKeelsonError(error));
      }
    }),
  );
}

/** The API through the first control plane that can be reached and knows an admin. */
async function viewOf({ context, hosts }: Session) {
  for (const { name, localAPIEndpoint } of controlPlanes(context.config)) {
    const host = hosts.get(name);
    const admin = await host?.read({ files: [ADMIN_CONF] }).catch(() => undefined);
    const text = admin?.files.get(ADMIN_CONF)?.content?.toString('utf8');
    if (host === undefined || text === undefined) continue;
    const { caPem, certPem, keyPem } = readKubeconfig(text, ADMIN_CONF);
    if (caPem === null || certPem === null || keyPem === null) continue;
    const endpoint = { address: localAPIEndpoint.advertiseAddress, port: localAPIEndpoint.bindPort };
    const client = clusterClient(host, endpoint, { ca: caPem, cert: certPem, key: keyPem }, context.signal);
    try {
      const view = await clusterView(client);
      if (view.api.reachable || name === controlPlanes(context.config).at(-1)?.name) return view;
    } finally {
      await client.close();
    }
  }
  return clusterView(null);
}

async function driftOf(session: Session): Promise<ClusterStatus['drift']> {
  const missing = [...session.failures.keys()];
  if (missing.includes(session.context.first.name)) {
    return { changes: null, reason: `${session.context.first.name} can't be reached` };
  }
  try {
    const changes = changesIn(await makePlan(session));
    return { changes, ...(missing.length === 0 ? {} : { reason: `without ${missing.join(', ')}` }) };
  } catch (error) {
    return { changes: null, reason: toKeelsonError(error).message };
  }
}

function stateOf(
  component: string,
  node: string,
  host: HostStatus | undefined,
  view: { api: ApiStatus; readyPods: ReadonlySet<string> },
): ComponentStatus['state'] {
  const state = processState(component, host);
  if (state === 'stopped' || !view.api.reachable) return state;
  return view.readyPods.has(`${component}@${node}`) ? 'ready' : 'not ready';
}

/** What a component says of itself where its pod is not Ready. */
async function asked({ context, readers }: Session, found: ComponentStatus): Promise<ComponentStatus> {
  if (found.state !== 'not ready') return found;
  const { host, component } = found;
  const reader = readers.get(host);
  const door = servedOn(context.config, context.hostNamed(host)).find(({ program }) => program === component);
  if (component === 'etcd') return { ...found, state: 'running' };
  if (reader === undefined || door === undefined) return found;
  const well = (await componentHealth(reader, door.endpoint)) === 'ok';
  return well ? { ...found, state: 'running' } : found;
}

/** What the host alone can tell. */
function processState(component: string, host: HostStatus | undefined): 'running' | 'stopped' | 'unknown' {
  if (host?.reachable !== true) return 'unknown';
  return (host.processes ?? []).includes(component) ? 'running' : 'stopped';
}

function problemsOf(
  status: Omit<ClusterStatus, 'healthy' | 'problems'>,
  wanted: readonly string[],
): string[] {
  const { api, nodes } = status;
  return [
    ...status.hosts
      .filter((host) => !host.reachable)
      .map((host) => `${host.name} can't be reached: ${host.error}`),
    ...status.hosts
      .filter((host) => host.reachable && host.kubelet !== 'active')
      .map((host) => `${host.name}: the kubelet is ${host.kubelet}`),
    ...(api.readyz === 'ok' ? [] : [`API: ${api.readyz}`]),
    ...status.controlPlane
      // Where there is no API to say more, the API is the problem.
      .filter((component) => component.state === 'not ready' || component.state === 'stopped')
      .map((component) => `${component.host}: ${component.component} is ${component.state}`),
    ...nodes.filter((node) => !node.ready).map((node) => `node ${node.name} is not Ready: ${node.reason}`),
    ...(api.reachable
      ? wanted
          .filter((name) => !nodes.some((node) => node.name === name))
          .map((name) => `node ${name} has not joined`)
      : []),
    ...status.addons
      .filter((addon) => addon.ready < addon.wanted)
      .map((addon) => `${addon.name}: ${addon.ready} of ${addon.wanted} ready`),
    ...status.certificates.expiring
      .filter((certificate) => certificate.daysLeft < 0)
      .map((certificate) => `${certificate.host}: ${certificate.path} has expired`),
  ];
}
