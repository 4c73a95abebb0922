import type { ConfigMap } from 'kubernetes-types/core/v1.js';
import { parse } from 'yaml';
import { KeelsonError } from '../errors/keelson-error.js';
import { kubeconfigYaml } from '../pki/kubeconfig.js';
import { detachedSignature, verifyDetached } from './jws.js';
import { requirePinned } from './pins.js';
import { type BootstrapToken, parseToken } from './token.js';

export const CLUSTER_INFO = { namespace: 'kube-public', name: 'cluster-info' } as const;

const SIGNATURE_PREFIX = 'jws-kubeconfig-';

/** How to reach a cluster and which authority to trust. */
export interface ClusterAddress {
  /** `https://host:port` */
  server: string;
  caPem: string;
}

/** The kubeconfig in cluster-info: one cluster without a name, no user, no context. */
function clusterInfoKubeconfig({ server, caPem }: ClusterAddress): string {
  return kubeconfigYaml({
    apiVersion: 'v1',
    clusters: [
      {
        cluster: { 'certificate-authority-data': Buffer.from(caPem).toString('base64'), server },
        name: '',
      },
    ],
    contexts: null,
    'current-context': '',
    kind: 'Config',
    users: null,
  });
}

/**
 * The ConfigMap that joining nodes read before they trust anything, signed with the given tokens. Without
 * tokens it is what kubeadm writes: the controller manager adds the signatures later.
 */
export function clusterInfoConfigMap(
  address: ClusterAddress,
  tokens: readonly BootstrapToken[] = [],
): ConfigMap {
  const kubeconfig = clusterInfoKubeconfig(address);
  const signatures = tokens.map((token) => [
    `${SIGNATURE_PREFIX}${token.id}`,
    detachedSignature(kubeconfig, token),
  ]);
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { ...CLUSTER_INFO },
    data: { kubeconfig, ...Object.fromEntries(signatures) },
  };
}

/**
 * The cluster's address and authority from a cluster-info that came over an unauthenticated connection:
 * signed with the token, and its authority pinned.
 * @param pins `sha256:…`; 'any' trusts whoever knows the token (kubeadm's unsafeSkipCAVerification)
 * Throws API (retryable) while there is no signature by this token, PKI for a wrong signature or an
 * authority that is not pinned, USAGE for a malformed token or pin, or no pins.
 */
export function verifyClusterInfo(
  configMap: ConfigMap,
  token: string,
  pins: readonly string[] | 'any',
): ClusterAddress {
  const parsed = parseToken(token);
  if (pins.length === 0) {
    throw new KeelsonError('USAGE', "no pin of the cluster's CA was given", {
      hint: "give the pins that 'keelson token create --print-join-command' shows",
    });
  }
  const kubeconfig = configMap.data?.kubeconfig;
  if (!kubeconfig) {
    throw new KeelsonError('API', 'cluster-info holds no kubeconfig', {
      hint: 'run the bootstrap-token phase on the first control plane',
    });
  }
  const signature = configMap.data?.[`${SIGNATURE_PREFIX}${parsed.id}`];
  if (!signature) {
    throw new KeelsonError('API', `cluster-info is not signed with the token ${parsed.id}`, {
      hint: 'make a new token: this one has expired or was deleted',
      retryable: true,
    });
  }
  if (!verifyDetached(signature, kubeconfig, parsed)) {
    throw new KeelsonError('PKI', "cluster-info's signature is not by this token", {
      hint: "don't trust this API server; make sure of its address and of the token",
    });
  }
  const address = readClusterInfo(kubeconfig);
  if (pins !== 'any') requirePinned(address.caPem, pins);
  return address;
}

/** The address and authority that the kubeconfig of a cluster-info names. Throws API where it names none. */
export function readClusterInfo(kubeconfig: string): ClusterAddress {
  const root: unknown = parse(kubeconfig);
  const clusters = get(root, 'clusters');
  const cluster = Array.isArray(clusters) ? get(clusters[0], 'cluster') : undefined;
  const server = get(cluster, 'server');
  const data = get(cluster, 'certificate-authority-data');
  if (typeof server !== 'string' || typeof data !== 'string') {
    throw new KeelsonError('API', 'cluster-info names no server or no authority', {
      hint: 'run the bootstrap-token phase on the first control plane',
    });
  }
  return { server, caPem: Buffer.from(data, 'base64').toString() };
}

function get(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null
    ? Object.entries(value).find(([name]) => name === key)?.[1]
    : undefined;
}
