import type { KubeObject } from '../../cluster/client.js';
import { parseGoDuration } from '../../config/go-duration.js';
import type { Change } from '../../engine/types.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import type { Host } from '../../host/types.js';
import { bootstrapKubeconfig } from '../../join/bootstrap-kubeconfig.js';
import {
  DEFAULT_TOKEN_GROUPS,
  generateToken,
  parseToken,
  TOKEN_NAMESPACE,
  tokenSecret,
  tokenSecretName,
} from '../../join/token.js';
import { controlPlaneUrl } from '../../manifests/addresses.js';
import { KUBELET_UNIT } from '../../manifests/kubelet.js';
import { CERTIFICATE_MODE, certificatePaths, SECRET_MODE } from '../../pki/table.js';
import { API, IMAGES, JOIN_RIGHTS, KUBELET_BINARIES, NODES, RUNTIME } from '../artefacts.js';
import { defineHostPhase, type PhaseContext } from '../context.js';
import { KUBELET_FILES, kubeletConfigChanges } from '../kubelet-files.js';
import { BOOTSTRAP_KUBELET_CONF, KUBELET_CONF } from '../paths.js';
import { SURROUNDINGS, verdictOf } from '../rendered.js';

/** Artefact name of the cluster CA's certificate, which is public. */
export const CA_CERTIFICATE_ARTEFACT = 'cluster-ca';

/** Long enough for a slow host, short enough to be worthless afterwards; deleted as soon as it was used. */
const TOKEN_TTL = '15m0s';

/** Looks every 100 ms, on the host, for what TLS bootstrap leaves behind. */
const AWAIT_BOOTSTRAP = `i=0
while ! [ -s ${KUBELET_CONF} ]; do
  i=$((i+1)); [ $i -gt "$1" ] && exit 1
  sleep 0.1
done
rm -f ${BOOTSTRAP_KUBELET_CONF}
`;

const EVIDENCE = 'journalctl -u kubelet -n 30 --no-pager -o cat';

export const joinWorker = defineHostPhase({
  name: 'join/worker',
  summary: 'workers into the cluster by TLS bootstrap, each with a short-lived token of its own',
  target: 'workers',
  needs: [API, JOIN_RIGHTS, RUNTIME, IMAGES, KUBELET_BINARIES],
  provides: [NODES],
  observe: (context) => ({
    files: [
      ...KUBELET_FILES,
      KUBELET_CONF,
      certificatePaths(context.config.cluster, { baseName: 'ca' }).cert,
    ],
    stats: SURROUNDINGS.stats,
    units: [KUBELET_UNIT, ...SURROUNDINGS.units],
  }),
  plan: (context, host, seen) => {
    const caPath = certificatePaths(context.config.cluster, { baseName: 'ca' }).cert;
    const found = seen.files.get(caPath)?.content?.toString();
    const wanted = context.trust.caCertificate();
    const joined = seen.files.get(KUBELET_CONF)?.type === 'file';
    if (joined && found !== wanted) {
      return {
        standing: 'blocked',
        reasons: [
          `${host} belongs to another cluster: its ${caPath} is not this cluster's CA. To give it up: keelson reset --host ${host}`,
        ],
        changes: [],
      };
    }
    const before: Change[] = [];
    if (found === undefined || found !== wanted) {
      before.push({
        kind: 'file',
        op: found === undefined ? 'create' : 'update',
        path: caPath,
        mode: CERTIFICATE_MODE,
        content: {
          kind: 'secret',
          artefact: CA_CERTIFICATE_ARTEFACT,
          summary: 'certificate of the cluster CA',
        },
        reason: found === undefined ? `${caPath} is missing` : `${caPath} is not this cluster's CA`,
      });
    }
    if (joined) return verdictOf(kubeletConfigChanges(context, host, seen, before));
    const files = kubeletConfigChanges(context, host, seen, before).filter(
      (change) => change.kind !== 'service',
    );
    return verdictOf([
      ...files,
      {
        kind: 'action',
        name: 'bootstrap',
        summary: 'start the kubelet and join by TLS bootstrap with a one-time token',
      },
    ]);
  },
  actions: { bootstrap: (context, host) => bootstrap(context, host) },
});

async function bootstrap(context: PhaseContext, host: Host): Promise<void> {
  const client = context.api();
  if (client === null) throw new KeelsonError('BUG', 'there is no API to join');
  const token = generateToken();
  const { id } = parseToken(token);
  const name = host.name;
  const spec = {
    token,
    ttl: TOKEN_TTL,
    usages: ['authentication'],
    groups: [...DEFAULT_TOKEN_GROUPS],
    description: `keelson joins ${name}`,
  };
  await client.apply(tokenSecret(spec, new Date(context.now())) as unknown as KubeObject);
  try {
    const server = controlPlaneUrl(context.config);
    const text = bootstrapKubeconfig({ server, caPem: await context.trust.ensureCa() }, token);
    await host.put([{ path: BOOTSTRAP_KUBELET_CONF, content: Buffer.from(text), mode: SECRET_MODE }]);
    await host.service('restart', KUBELET_UNIT);
    const limit = parseGoDuration(context.config.joinTimeouts.tlsBootstrap);
    const deadlineMs = 'ms' in limit ? limit.ms : 300_000;
    try {
      await host.script(
        { name: 'join/await-bootstrap', text: AWAIT_BOOTSTRAP, args: [String(Math.ceil(deadlineMs / 100))] },
        { timeoutMs: deadlineMs + 30_000, signal: context.signal },
      );
    } catch (error) {
      if (!(error instanceof KeelsonError) || error.code !== 'REMOTE_COMMAND') throw error;
      const evidence = await host.query(['sh', '-c', EVIDENCE], { acceptCodes: 'any' });
      throw new KeelsonError(
        'DEADLINE',
        `the kubelet got no client certificate within ${Math.round(deadlineMs / 1000)} s`,
        {
          host: name,
          hint: `the kubelet's log is above; check that ${server} can be reached from ${name}`,
          details: { stdout: evidence.stdout.toString('utf8') },
          cause: error,
        },
      );
    }
  } finally {
    await client.remove({
      apiVersion: 'v1',
      kind: 'Secret',
      namespace: TOKEN_NAMESPACE,
      name: tokenSecretName(id),
    });
  }
}
