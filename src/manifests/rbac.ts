import type { ClusterRoleBinding, Role, RoleBinding, Subject } from 'kubernetes-types/rbac/v1.js';

const RBAC = 'rbac.authorization.k8s.io';

/** Group of kubeadm's bootstrap tokens. */
export const BOOTSTRAPPERS = 'system:bootstrappers:kubeadm:default-node-token';
/** Group of all registered nodes. */
export const NODES = 'system:nodes';

export function group(name: string): Subject {
  return { kind: 'Group', name };
}

export function user(name: string): Subject {
  return { kind: 'User', name };
}

export function clusterRoleBinding(name: string, role: string, subjects: Subject[]): ClusterRoleBinding {
  return {
    apiVersion: `${RBAC}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name },
    roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: role },
    subjects,
  };
}

/** A role that may get one ConfigMap, and its binding of the same name. */
export function configMapReader(
  name: string,
  namespace: string,
  configMap: string,
  subjects: Subject[],
): [Role, RoleBinding] {
  return [
    {
      apiVersion: `${RBAC}/v1`,
      kind: 'Role',
      metadata: { name, namespace },
      rules: [{ apiGroups: [''], resources: ['configmaps'], resourceNames: [configMap], verbs: ['get'] }],
    },
    {
      apiVersion: `${RBAC}/v1`,
      kind: 'RoleBinding',
      metadata: { name, namespace },
      roleRef: { apiGroup: RBAC, kind: 'Role', name },
      subjects,
    },
  ];
}
