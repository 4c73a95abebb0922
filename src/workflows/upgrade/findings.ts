import type { ClusterClient, KubeObject } from '../../cluster/client.js';
import { controlPlanes, memberHosts, nodeHosts } from '../../config/inventory.js';
import { knownOptions, unknownOptions } from '../../config/known-options/unknown.js';
import { toKeelsonError } from '../../errors/keelson-error.js';
import { localApi } from '../../phases/local-api.js';
import { error, type Finding, warning } from '../../phases/preflight/check.js';
import { withIgnored } from '../../phases/preflight/ignore.js';
import { inspectHosts } from '../../phases/preflight/inspect.js';
import { apiReadiness } from '../../phases/wait/control-plane.js';
import { etcdStatus } from '../etcd-status.js';
import type { Session } from '../session.js';
import { EXPIRING_DAYS } from '../status.js';
import { hostStatus } from '../status-hosts.js';
import { deprecatedApiFindings, deprecatedApisIn, metricsText } from './deprecated-apis.js';

/** Everything that an upgrade should know of before it begins, looked at in parallel. Reads only. */
export async function upgradeFindings(
  session: Session,
  client: ClusterClient,
  options: { to: string; ignore: readonly string[] },
): Promise<Finding[]> {
  // Before anything else goes through the same connections: its patience is short.
  const health = await healthFindings(session, client);
  const found = await Promise.all([
    health,
    preflightFindings(session),
    etcdFindings(session),
    certificateFindings(session),
    apiFindings(session, options.to),
    budgetFindings(client),
    Promise.resolve(optionFindings(session)),
  ]);
  const { config } = session.context;
  return withIgnored(found.flat(), () => [...config.spec.ignorePreflightErrors, ...options.ignore]);
}

async function preflightFindings({ context, readers }: Session): Promise<Finding[]> {
  return (await inspectHosts(context, readers)).filter(({ severity }) => severity !== 'ok');
}

interface Condition {
  type: string;
  status: string;
  message?: string;
}

async function healthFindings({ context }: Session, client: ClusterClient): Promise<Finding[]> {
  const [readiness, nodes] = await Promise.all([apiReadiness(context), client.list('/api/v1/nodes')]);
  const ours = new Set(context.inventory.map(({ name }) => context.hostNamed(name).nodeRegistration.name));
  const others = new Set(nodeHosts(context.config).map(({ nodeRegistration }) => nodeRegistration.name));
  const down = nodes.flatMap((node): Finding[] => {
    const conditions = (node.status as { conditions?: Condition[] } | undefined)?.conditions ?? [];
    const ready = conditions.find(({ type }) => type === 'Ready');
    if (ready?.status === 'True') return [];
    const message = `the node is not Ready: ${ready?.message ?? 'no condition yet'}`;
    if (!ours.has(node.metadata.name) && others.has(node.metadata.name)) {
      const remedy = 'this run leaves it alone; it comes later';
      return [{ host: node.metadata.name, ...warning('NodeReady', message, remedy) }];
    }
    return [{ host: node.metadata.name, ...error('NodeReady', message, 'bring the node back first') }];
  });
  if (readiness === 'ok') return down;
  const remedy = 'keelson status shows what is wrong';
  return [{ host: context.first.name, ...error('APIServer', readiness, remedy) }, ...down];
}

async function etcdFindings(session: Session): Promise<Finding[]> {
  if (memberHosts(session.context.config).length === 0) return [];
  const host = session.context.first.name;
  const remedy = 'keelson etcd status shows every member; bring etcd in order first';
  try {
    const { problems } = await etcdStatus(session);
    return problems.map((problem) => ({ host, ...error('Etcd', problem, remedy) }));
  } catch (thrown) {
    return [{ host, ...error('Etcd', toKeelsonError(thrown).message, remedy) }];
  }
}

async function certificateFindings({ context, hosts }: Session): Promise<Finding[]> {
  const options = { now: context.now(), certificatesDir: context.config.cluster.certificatesDir };
  const found = await Promise.all(
    context.inventory.map(async ({ name, role }) => {
      const host = hosts.get(name);
      return host === undefined ? [] : (await hostStatus(host, role, undefined, options)).certificates;
    }),
  );
  return found
    .flat()
    .filter(({ daysLeft }) => daysLeft < EXPIRING_DAYS)
    .map(({ host, path, daysLeft }) => {
      const remedy = 'renew it: an upgrade keeps certificates as they are';
      return daysLeft < 0
        ? { host, ...error('Certificate', `${path} has expired`, remedy) }
        : { host, ...warning('Certificate', `${path} expires in ${daysLeft} days`, remedy) };
    });
}

async function apiFindings({ context, hosts }: Session, to: string): Promise<Finding[]> {
  const used = await Promise.all(
    controlPlanes(context.config)
      .filter(({ name }) => hosts.has(name))
      .map(async ({ name }) => {
        const client = localApi(context, name);
        try {
          const { body } = await client.request('GET', '/metrics');
          return [name, deprecatedApisIn(metricsText(body))] as const;
        } finally {
          await client.close();
        }
      }),
  );
  return deprecatedApiFindings(new Map(used), to);
}

interface BudgetStatus {
  disruptionsAllowed?: number;
  expectedPods?: number;
}

async function budgetFindings(client: ClusterClient): Promise<Finding[]> {
  const budgets = await client.list('/apis/policy/v1/poddisruptionbudgets');
  return budgets.flatMap((budget: KubeObject): Finding[] => {
    const { disruptionsAllowed = 0, expectedPods = 0 } = (budget.status ?? {}) as BudgetStatus;
    if (disruptionsAllowed > 0 || expectedPods === 0) return [];
    const name = `${budget.metadata.namespace}/${budget.metadata.name}`;
    const message = `PodDisruptionBudget ${name} allows no pod to go now: a drain would wait for it`;
    return [
      { host: '', ...warning('DisruptionBudget', message, 'run more replicas, or upgrade with --no-drain') },
    ];
  });
}

function optionFindings({ context }: Session): Finding[] {
  const { config } = context;
  const version = config.cluster.kubernetesVersion;
  if (knownOptions(version) === null) {
    const message = `flags and feature gates were not looked at: keelson does not know those of ${version}`;
    return [{ host: '', ...warning('Options', message, 'read the release notes') }];
  }
  return unknownOptions(config).map(({ kind, message, remedy }) => ({
    host: '',
    ...error(kind === 'flag' ? 'UnknownFlag' : 'FeatureGate', message, remedy),
  }));
}
