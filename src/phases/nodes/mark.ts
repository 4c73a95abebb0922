import type { ResolvedHost, Taint } from '../../config/types.js';
import { API, KUBELET, NODES } from '../artefacts.js';
import { defineClusterPhase, type PhaseContext } from '../context.js';
import { markNode, type NodeWishes, nodesVerdict } from './node-objects.js';

const CONTROL_PLANE_LABELS = {
  'node-role.kubernetes.io/control-plane': '',
  'node.kubernetes.io/exclude-from-external-load-balancers': '',
};

const CONTROL_PLANE_TAINT: Taint = { key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' };

/** The nodes of this run: another's may be down, or not there yet; a host of role etcd has none. */
function hostsOf(context: PhaseContext): ResolvedHost[] {
  return context.inventory.filter(({ role }) => role !== 'etcd').map((host) => context.hostNamed(host.name));
}

function controlPlaneWishes(host: ResolvedHost): NodeWishes {
  return { labels: CONTROL_PLANE_LABELS, taints: host.nodeRegistration.taints ?? [CONTROL_PLANE_TAINT] };
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
      controlPlaneWishes,
    ),
  actions: {
    mark: (context, change) => {
      const host = context.hostNamed(change.params?.host ?? '');
      return markNode(context, 'mark-control-plane', host, controlPlaneWishes(host));
    },
  },
});

/** A worker's taints from nodeRegistration are set by its kubelet when it registers. */
function inventoryWishes(host: ResolvedHost): NodeWishes {
  return { labels: host.labels, taints: [] };
}

export const labelNodes = defineClusterPhase({
  name: 'nodes/labels',
  summary: 'labels that the inventory gives to nodes',
  target: 'cluster',
  needs: [NODES],
  provides: [],
  check: (context) => nodesVerdict(context, hostsOf(context), inventoryWishes),
  actions: {
    mark: (context, change) => {
      const host = context.hostNamed(change.params?.host ?? '');
      return markNode(context, 'nodes/labels', host, inventoryWishes(host));
    },
  },
});
