import { RELEASES } from '../../bundle/releases.js';
import { controlPlanes, nodeHosts } from '../../config/inventory.js';
import type { Plan } from '../../engine/types.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { type Finding, warning } from '../../phases/preflight/check.js';
import { withIgnored } from '../../phases/preflight/ignore.js';
import { clusterApi } from '../cluster-api.js';
import { makePlan } from '../plan.js';
import type { Session } from '../session.js';
import { upgradeFindings } from './findings.js';
import { imageFindings } from './manifest-images.js';
import { type Hop, upgradePath } from './path.js';
import { readRecord, type UpgradeRecord } from './record.js';
import { skewFindings } from './skew.js';
import { addonVersions, type ComponentVersion, clusterVersion, hostVersions } from './versions.js';

export interface UpgradePlan {
  cluster: string;
  /** The version that the cluster was last brought to as a whole. */
  from: string;
  to: string;
  /** Each step in turn, at most one minor each. */
  path: Hop[];
  versions: ComponentVersion[];
  /** What stands in the way (`error`) or should be known (`warning`). */
  findings: Finding[];
  /** What changes, host by host and file by file; null where more than one step leads to the target. */
  plan: Plan | null;
}

export interface UpgradePlanOptions {
  /** Names of findings whose errors are warnings, beside those of the cluster file; `all` for every one. */
  ignore?: readonly string[];
}

/**
 * What an upgrade of the cluster to the session's version would take and change. Reads only.
 * @param session of the cluster file with the target's version and bundle
 * @throws CONFLICT where there is no cluster, or for a downgrade; BUNDLE where a minor in between is not available
 */
export async function planUpgrade(session: Session, options: UpgradePlanOptions = {}): Promise<UpgradePlan> {
  const { context, hosts } = session;
  const { config } = context;
  const to = config.cluster.kubernetesVersion;
  const client = await clusterApi(session);
  const from = await clusterVersion(client);
  if (from === null) {
    throw new KeelsonError('CONFLICT', 'the cluster has no ConfigMap kubeadm-config that names its version', {
      hint: 'keelson apply writes it',
    });
  }
  const path = upgradePath(from, to, Object.keys(RELEASES));
  const findings = await upgradeFindings(session, client, { to, ignore: options.ignore ?? [] });
  const [onHosts, addons, nodes, plan, record] = await Promise.all([
    Promise.all(
      context.inventory.map(({ name }) => {
        const host = hosts.get(name);
        return host === undefined ? [] : hostVersions(context, host, name);
      }),
    ),
    addonVersions(context, client),
    client.list('/api/v1/nodes'),
    path.length <= 1 ? makePlan(session) : null,
    readRecord(session),
  ]);
  const images = withIgnored(await imageFindings(session, plan?.tasks ?? []), () => [
    ...config.spec.ignorePreflightErrors,
    ...(options.ignore ?? []),
  ]);
  const versions = onHosts.flat();
  const managed = new Map(nodeHosts(config).map((host) => [host.nodeRegistration.name, host.name]));
  const kubelets = nodes.map((node) => {
    const { nodeInfo } = (node.status ?? {}) as { nodeInfo?: { kubeletVersion?: string } };
    const { name } = node.metadata;
    return { node: name, version: nodeInfo?.kubeletVersion ?? '', managed: managed.has(name) };
  });
  const foreign = kubelets
    .filter((kubelet) => !kubelet.managed)
    .map(({ node, version }) => ({ host: node, component: 'kubelet', current: version, target: null }));
  const apiServers = new Map(
    controlPlanes(config).flatMap(({ name }) => {
      const own = versions.find(({ host, component }) => host === name && component === 'kube-apiserver');
      return own?.current == null ? [] : [[name, own.current] as const];
    }),
  );
  const known = kubelets.filter(({ version }) => version !== '');
  return {
    cluster: config.name,
    from,
    to,
    path,
    versions: [...versions, ...foreign, ...addons],
    findings: [
      ...underWay(record),
      ...skewFindings({ apiServers, kubelets: known }, path),
      ...images,
      ...findings,
    ],
    plan,
  };
}

function underWay(record: UpgradeRecord | null): Finding[] {
  if (record?.state !== 'under-way') return [];
  const { direction, from, to } = record;
  const command = direction === 'upgrade' ? `keelson upgrade apply --to ${to}` : 'keelson upgrade rollback';
  const message = `the ${direction} from ${from} to ${to} is under way`;
  return [{ host: '', ...warning('UnderWay', message, `${command} goes on with it`) }];
}
