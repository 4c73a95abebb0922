import type { KubeObject } from '../../cluster/client.js';
import type { ResolvedHost, Taint } from '../../config/types.js';
import { API, KUBELET, NODES } from '../artefacts.js';
import { defineClusterPhase, type PhaseContext } from '../context.js';
import { markNode, nodesVerdict } from './node-objects.js';
import { type NodePatch, nodePatch, taintKey, taintsOf } from './node-patch.js';

const CONTROL_PLANE_LABELS = {
  'node-role.kubernetes.io/control-plane': '',
  'node.kubernetes.io/exclude-from-external-load-balancers': '',
};

const CONTROL_PLANE_TAINT: Taint = { key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' };

/** The nodes of this run: another's may be down, or not there yet; a host of role etcd has none. */
function hostsOf(context: PhaseContext): ResolvedHost[] {
  return context.inventory.filter(({ role }) => role !== 'etcd').map((host) => context.hostNamed(host.name));
}

/** Adds the role's labels, and kubeadm's taint where the file says nothing of taints. */
function controlPlanePatch(host: ResolvedHost, node: KubeObject): NodePatch | null {
  const labels = Object.fromEntries(
    Object.entries(CONTROL_PLANE_LABELS).filter(([key, value]) => node.metadata.labels?.[key] !== value),
  );
  const wanted = host.nodeRegistration.taints ?? [CONTROL_PLANE_TAINT];
  const present = taintsOf(node).map(taintKey);
  const setTaints = wanted.filter((taint) => !present.includes(taintKey(taint)));
  if (Object.keys(labels).length + setTaints.length === 0) return null;
  return { labels, annotations: {}, setTaints, removeTaints: [] };
}

export const markControlPlane = defineClusterPhase({
  name: 'mark-control-plane',
  summary: 'role labels and taints of control planes',
  target: 'cluster',
  needs: [API, KUBELET],
  provides: [NODES],
  check: (context) =>
    nodesVerdict(
      context,
      hostsOf(context).filter((host) => host.role === 'control-plane'),
      controlPlanePatch,
    ),
  actions: {
    mark: (context, change) => {
      const host = context.hostNamed(change.params?.host ?? '');
      return markNode(context, 'mark-control-plane', host, controlPlanePatch);
    },
  },
});

/** Kubelets set taints of the file when they register; later changes of the file are made here. */
function inventoryPatch(host: ResolvedHost, node: KubeObject): NodePatch | null {
  const wishes = { labels: host.labels, taints: host.nodeRegistration.taints ?? null };
  return nodePatch(node, wishes, host.role === 'control-plane' ? [taintKey(CONTROL_PLANE_TAINT)] : []);
}

export const labelNodes = defineClusterPhase({
  name: 'nodes/labels',
  summary: 'labels and taints that the inventory gives to nodes, and those taken away that it gave before',
  target: 'cluster',
  needs: [NODES],
  provides: [],
  check: (context) => nodesVerdict(context, hostsOf(context), inventoryPatch),
  actions: {
    mark: (context, change) => {
      const host = context.hostNamed(change.params?.host ?? '');
      return markNode(context, 'nodes/labels', host, inventoryPatch);
    },
  },
});
