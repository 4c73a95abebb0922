import { trustBundle } from '../../pki/rotation.js';
import { authorityPair } from './authority-pair.js';
import { awaitAuthentication } from './cluster-ca-objects.js';
import { awaitTrust, knowsCaller } from './handshakes.js';
import { authorityFiles } from './host-files.js';
import type { RotationKind } from './kind.js';
import { isLast, type Run, trustAfter } from './run.js';

/** The only name that may speak for others: --requestheader-allowed-names. */
const PROXY = 'front-proxy-client';

/** Nothing is restarted: whoever trusts it reads its file, or the ConfigMap, again by itself. */
export const frontProxyCa: RotationKind = {
  name: 'front-proxy-ca',
  title: 'the front-proxy CA',
  does: {
    trust:
      'front-proxy-ca.crt and ConfigMap extension-apiserver-authentication hold the old and the new CA; API servers and extension API servers read them by themselves',
    issue: 'API servers get client certificates of the new CA for extension API servers',
    verify: 'every file and every API server is looked at: nothing may be of the old CA alone',
    drop: 'the old CA is taken away everywhere and its key is removed; there is no way back from here',
    reissue: 'API servers get client certificates of the old CA again',
    distrust: 'the new CA is taken away everywhere and its key is removed',
  },
  consequences: [
    'extension API servers that were given the CA as a file, instead of reading the ConfigMap, need the new one before issue',
  ],
  ...authorityPair('front-proxy-ca'),
  surveyed: true,
  refusal: () => null,
  hosts: (run) => run.planes.map(({ name }) => name),
  work: async (run, host, step) => ({
    files: await authorityFiles(run, host, 'front-proxy-ca', step),
    pods: [],
    kubelet: false,
  }),
  settled: async (run, host, step) => {
    const plane = run.planes.find(({ name }) => name === host);
    if (plane === undefined) return;
    const { advertiseAddress: address, bindPort: port } = plane.localAPIEndpoint;
    await awaitTrust(
      run,
      {
        who: `the API server of ${host}`,
        host,
        endpoint: { address, port },
        request: async (which) => ({
          path: '/api/v1/nodes',
          identity: await run.stranger(which, PROXY),
          headers: { 'X-Remote-User': 'keelson:rotation-probe' },
          servername: 'kubernetes',
        }),
        knows: knowsCaller,
      },
      step,
    );
  },
  objects: async (run, step) => {
    if (step !== 'trust' && !isLast(step)) return;
    const caPem = trustBundle(trustAfter(run.pairs, step));
    await awaitAuthentication(run, 'requestheader-client-ca-file', caPem, isLast(step));
  },
  leftovers: () => [],
  // API servers look at their proxy certificate at least once a minute; extension API servers watch the ConfigMap.
  lingerMs: async (run) => ((await hasExtensions(run)) ? 70_000 : 0),
};

interface Service {
  spec?: { service?: unknown };
}

/** Whether API servers pass anything on: who serves an API group itself needs no proxy. */
async function hasExtensions(run: Run): Promise<boolean> {
  const services = await (await run.api()).list('/apis/apiregistration.k8s.io/v1/apiservices');
  return services.some((object) => (object as Service).spec?.service != null);
}
