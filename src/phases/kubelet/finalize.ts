import type { Host } from '../../host/types.js';
import { KUBELET_UNIT } from '../../manifests/kubelet.js';
import { localServerUrl } from '../../pki/endpoint.js';
import { readKubeconfig } from '../../pki/kubeconfig.js';
import { SECRET_MODE } from '../../pki/table.js';
import { API, API_PODS, KUBELET } from '../artefacts.js';
import { defineHostPhase, type PhaseContext } from '../context.js';
import { kubeletConf } from '../kubelet-conf.js';
import { awaitLocalApi } from '../local-api.js';
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
  summary: 'control planes’ kubelets use the certificate that they rotate and the API server beside them',
  target: 'control-planes',
  needs: [API, KUBELET, API_PODS],
  provides: [],
  observe: () => ({ files: [KUBELET_CONF] }),
  plan: (context, host, seen) => {
    const text = seen.files.get(KUBELET_CONF)?.content?.toString();
    const server = localServerUrl(context.hostNamed(host));
    if (text !== undefined) {
      const view = readKubeconfig(text, KUBELET_CONF);
      if (view.certPem === null && view.server === server) return verdictOf([]);
    }
    const summary = `point ${KUBELET_CONF} to ${KUBELET_CLIENT_CERTIFICATE} and ${server}`;
    return verdictOf([{ kind: 'action', name: 'finalize', summary }]);
  },
  actions: { finalize },
});

async function finalize(context: PhaseContext, host: Host): Promise<void> {
  const awaited = await host.script(
    { name: 'kubelet/await-certificate', text: AWAIT_CERTIFICATE },
    { timeoutMs: 90_000, signal: context.signal },
  );
  // It has to serve before the kubelet depends on it.
  await awaitLocalApi(context, host);
  const server = localServerUrl(context.hostNamed(host.name));
  const text = awaited.stdout.toString('utf8');
  const before = readKubeconfig(text, KUBELET_CONF).server;
  const pointed = kubeletConf(text, server);
  await host.put([{ path: KUBELET_CONF, content: Buffer.from(pointed), mode: SECRET_MODE }]);
  // A kubelet that runs with the same identity and server needs no restart. One that waits to register does:
  // it tries ever more rarely.
  if (before !== server || !(await isRegistered(context, host))) await host.service('restart', KUBELET_UNIT);
}

async function isRegistered(context: PhaseContext, host: Host): Promise<boolean> {
  const { name } = context.hostNamed(host.name).nodeRegistration;
  return (await context.api()?.get({ apiVersion: 'v1', kind: 'Node', name })) != null;
}
