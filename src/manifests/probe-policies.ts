import type { Namespace, Pod, ServiceAccount } from 'kubernetes-types/core/v1.js';
import type { NetworkPolicy, NetworkPolicyPeer, NetworkPolicySpec } from 'kubernetes-types/networking/v1.js';
import { PROBE_LABEL, PROBE_PORT, type ProbeSettings, probeAccount, probePodSpec } from './probe.js';

/** Label of the pods that network policies are tried on; its values are roles. */
export const POLICY_LABEL = 'keelson.dev/policy-role';
/** Whom policies protect, whom they let in by label, and whom by namespace. */
export type PolicyRole = 'server' | 'friend' | 'guest';

type Typed<T> = T & { apiVersion: string; kind: string };

/** Where guests live. */
export function guestNamespace(settings: ProbeSettings): string {
  return `${settings.namespace}-guests`;
}

/** The namespace of guests, with what its pods need. */
export function guestSurroundings(settings: ProbeSettings): {
  namespace: Typed<Namespace>;
  account: Typed<ServiceAccount>;
} {
  const name = guestNamespace(settings);
  return {
    namespace: {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels: { [PROBE_LABEL]: settings.namespace } },
    },
    account: probeAccount({ ...settings, namespace: name }),
  };
}

/**
 * A pod of a role on one node, whatever the node's taints.
 * @param node name of the Node object
 */
export function policyPod(settings: ProbeSettings, role: PolicyRole, node: string): Typed<Pod> {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${role}-${node}`.slice(0, 253),
      namespace: role === 'guest' ? guestNamespace(settings) : settings.namespace,
      labels: { [POLICY_LABEL]: role, [PROBE_LABEL]: settings.namespace },
    },
    spec: { ...probePodSpec(settings), nodeName: node, tolerations: [{ operator: 'Exists' }] },
  };
}

function policy(settings: ProbeSettings, name: string, spec: NetworkPolicySpec): Typed<NetworkPolicy> {
  const metadata = { name, namespace: settings.namespace };
  return { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata, spec };
}

const only = (role: PolicyRole) => ({ matchLabels: { [POLICY_LABEL]: role } });

/** Nobody may connect to the server. */
export function denyIngress(settings: ProbeSettings): Typed<NetworkPolicy> {
  return policy(settings, 'deny-ingress', { podSelector: only('server'), policyTypes: ['Ingress'] });
}

function allow(settings: ProbeSettings, name: string, from: NetworkPolicyPeer): Typed<NetworkPolicy> {
  return policy(settings, name, {
    podSelector: only('server'),
    policyTypes: ['Ingress'],
    ingress: [{ from: [from], ports: [{ protocol: 'TCP', port: PROBE_PORT }] }],
  });
}

/** Friends, known by their label, may connect to the server. */
export function allowByLabel(settings: ProbeSettings): Typed<NetworkPolicy> {
  return allow(settings, 'allow-friends', { podSelector: only('friend') });
}

/** All pods of the guests' namespace may connect to the server. */
export function allowByNamespace(settings: ProbeSettings): Typed<NetworkPolicy> {
  const matchLabels = { 'kubernetes.io/metadata.name': guestNamespace(settings) };
  return allow(settings, 'allow-guests', { namespaceSelector: { matchLabels } });
}

/** Friends may connect to nobody. */
export function denyEgress(settings: ProbeSettings): Typed<NetworkPolicy> {
  return policy(settings, 'deny-egress', { podSelector: only('friend'), policyTypes: ['Egress'] });
}
