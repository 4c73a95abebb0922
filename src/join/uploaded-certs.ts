import type { Secret } from 'kubernetes-types/core/v1.js';
import type { OwnerReference } from 'kubernetes-types/meta/v1.js';
import type { Role, RoleBinding } from 'kubernetes-types/rbac/v1.js';
import type { BootstrapTokenSpec, ClusterConfiguration } from '../config/types.js';
import { certificatePaths, serviceAccountPaths } from '../pki/table.js';
import { encryptWithKey } from './certificate-key.js';
import { DEFAULT_TOKEN_GROUPS, generateToken, TOKEN_NAMESPACE } from './token.js';

export const CERTS_SECRET = 'kubeadm-certs';
const CERTS_ROLE = 'kubeadm:kubeadm-certs';
const RBAC = 'rbac.authorization.k8s.io';

/** kubeadm's DefaultCertTokenDuration. */
export const CERTS_TTL = '2h0m0s';

/** What control planes share, by its name in the Secret, with the path on a host; kubeadm's certsToTransfer. */
export function filesToUpload(cluster: ClusterConfiguration): ReadonlyMap<string, string> {
  const ca = certificatePaths(cluster, { baseName: 'ca' });
  const frontProxy = certificatePaths(cluster, { baseName: 'front-proxy-ca' });
  const etcd = certificatePaths(cluster, { baseName: 'etcd/ca' });
  const account = serviceAccountPaths(cluster);
  const { external } = cluster.etcd;
  return new Map([
    ['ca.crt', ca.cert],
    ['ca.key', ca.key],
    ['front-proxy-ca.crt', frontProxy.cert],
    ['front-proxy-ca.key', frontProxy.key],
    ['sa.pub', account.pub],
    ['sa.key', account.key],
    ...(external === undefined
      ? ([
          ['etcd-ca.crt', etcd.cert],
          ['etcd-ca.key', etcd.key],
        ] as const)
      : ([
          ['external-etcd-ca.crt', external.caFile],
          ['external-etcd.crt', external.certFile],
          ['external-etcd.key', external.keyFile],
        ] as const)),
  ]);
}

/** The token that does nothing but expire, and takes the Secret with it. */
export function expiryToken(): BootstrapTokenSpec {
  return {
    token: generateToken(),
    description: 'Proxy for managing TTL for the kubeadm-certs secret',
    ttl: CERTS_TTL,
    usages: [],
    groups: [],
  };
}

/**
 * The Secret kubeadm-certs.
 * @param contents by name in the Secret; what a cluster has not (the key of an external CA) is empty
 * @param owner name and uid of the Secret of the token that it expires with
 */
export function certsSecret(
  contents: ReadonlyMap<string, Buffer | undefined>,
  key: Buffer,
  owner: { name: string; uid: string },
): Secret {
  const reference: OwnerReference = {
    apiVersion: 'v1',
    kind: 'Secret',
    ...owner,
    controller: true,
    blockOwnerDeletion: true,
  };
  const data = [...contents].map(([name, content]) => [
    name,
    content === undefined ? '' : encryptWithKey(content, key).toString('base64'),
  ]);
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: CERTS_SECRET, namespace: TOKEN_NAMESPACE, ownerReferences: [reference] },
    data: Object.fromEntries(data),
  };
}

/** What lets bootstrap tokens read the Secret. */
export function certsAccess(): [Role, RoleBinding] {
  const metadata = { name: CERTS_ROLE, namespace: TOKEN_NAMESPACE };
  return [
    {
      apiVersion: `${RBAC}/v1`,
      kind: 'Role',
      metadata,
      rules: [{ apiGroups: [''], resources: ['secrets'], resourceNames: [CERTS_SECRET], verbs: ['get'] }],
    },
    {
      apiVersion: `${RBAC}/v1`,
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup: RBAC, kind: 'Role', name: CERTS_ROLE },
      subjects: DEFAULT_TOKEN_GROUPS.map((name) => ({ kind: 'Group', name })),
    },
  ];
}
