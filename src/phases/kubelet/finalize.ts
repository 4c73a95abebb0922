import { KeelsonError } from '../../errors/keelson-error.js';
import { KUBELET_UNIT } from '../../manifests/kubelet.js';
import { kubeconfigYaml, readKubeconfig } from '../../pki/kubeconfig.js';
import { SECRET_MODE } from '../../pki/table.js';
import { API } from '../artefacts.js';
import { defineHostPhase } from '../context.js';
import { KUBELET_CLIENT_CERTIFICATE, KUBELET_CONF } from '../paths.js';
import { verdictOf } from '../rendered.js';

/** The kubelet writes its rotating certificate within a second of its start. */
const AWAIT_CERTIFICATE = `i=0
while ! [ -s ${KUBELET_CLIENT_CERTIFICATE} ]; do
  i=$((i+1)); [ $i -gt 600 ] && exit 1
  sleep 0.1
done
cat ${KUBELET_CONF}
`;

export const finalizeKubelet = defineHostPhase({
  name: 'kubelet-finalize',
  summary: 'kubelet.conf of the first control plane points to the certificate that the kubelet rotates',
  target: 'first-control-plane',
  needs: [API],
  provides: [],
  observe: () => ({ files: [KUBELET_CONF] }),
  plan: (_context, _host, seen) => {
    const text = seen.files.get(KUBELET_CONF)?.content?.toString();
    if (text !== undefined && readKubeconfig(text, KUBELET_CONF).certPem === null) return verdictOf([]);
    return verdictOf([
      { kind: 'action', name: 'finalize', summary: `point ${KUBELET_CONF} to ${KUBELET_CLIENT_CERTIFICATE}` },
    ]);
  },
  actions: {
    finalize: async (_context, host) => {
      const { stdout } = await host.script(
        { name: 'kubelet/await-certificate', text: AWAIT_CERTIFICATE },
        { timeoutMs: 90_000 },
      );
      const view = readKubeconfig(stdout.toString('utf8'), KUBELET_CONF);
      if (view.caPem === null)
        throw new KeelsonError('PKI', `${KUBELET_CONF} has no embedded CA`, { host: host.name });
      const context = `${view.userName}@${view.clusterName}`;
      const pointed = kubeconfigYaml({
        apiVersion: 'v1',
        clusters: [
          {
            cluster: {
              'certificate-authority-data': Buffer.from(view.caPem).toString('base64'),
              server: view.server,
            },
            name: view.clusterName,
          },
        ],
        contexts: [{ context: { cluster: view.clusterName, user: view.userName }, name: context }],
        'current-context': context,
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
      await host.put([{ path: KUBELET_CONF, content: Buffer.from(pointed), mode: SECRET_MODE }]);
      // As kubeadm does. It also registers the node at once, which the kubelet itself tries ever more rarely.
      await host.service('restart', KUBELET_UNIT);
    },
  },
});
