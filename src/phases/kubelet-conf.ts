import { KeelsonError } from '../errors/keelson-error.js';
import { kubeconfigYaml, readKubeconfig } from '../pki/kubeconfig.js';
import { KUBELET_CLIENT_CERTIFICATE, KUBELET_CONF } from './paths.js';

/**
 * kubelet.conf with another server, and with the certificate that the kubelet rotates. No secret is in it.
 * @throws PKI where the text is no kubeconfig or embeds no CA
 */
export function kubeletConf(text: string, server: string): string {
  const view = readKubeconfig(text, KUBELET_CONF);
  if (view.caPem === null) throw new KeelsonError('PKI', `${KUBELET_CONF} has no embedded CA`);
  const name = `${view.userName}@${view.clusterName}`;
  return kubeconfigYaml({
    apiVersion: 'v1',
    clusters: [
      {
        cluster: { 'certificate-authority-data': Buffer.from(view.caPem).toString('base64'), server },
        name: view.clusterName,
      },
    ],
    contexts: [{ context: { cluster: view.clusterName, user: view.userName }, name }],
    'current-context': name,
    kind: 'Config',
    users: [
      {
        name: view.userName,
        user: {
          'client-certificate': KUBELET_CLIENT_CERTIFICATE,
          'client-key': KUBELET_CLIENT_CERTIFICATE,
        },
      },
    ],
  });
}
