import { kubeconfigText } from '../pki/kubeconfig.js';
import type { ClusterAddress } from './cluster-info.js';
import { parseToken } from './token.js';

/**
 * bootstrap-kubelet.conf as kubeadm writes it. On a joining control plane `server` is its own API server.
 * Throws USAGE for a malformed token.
 */
export function bootstrapKubeconfig({ server, caPem }: ClusterAddress, token: string): string {
  parseToken(token);
  // kubeadm names the cluster 'kubernetes' here whatever it is called.
  return kubeconfigText({
    clusterName: 'kubernetes',
    server,
    caPem,
    userName: 'tls-bootstrap-token-user',
    user: { token },
  });
}
