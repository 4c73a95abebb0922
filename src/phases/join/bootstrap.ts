import type { ClusterClient, KubeObject } from '../../cluster/client.js';
import { parseGoDuration } from '../../config/go-duration.js';
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
import { localServerUrl } from '../../pki/endpoint.js';
import { SECRET_MODE } from '../../pki/table.js';
import type { PhaseContext } from '../context.js';
import { BOOTSTRAP_KUBELET_CONF, KUBELET_CLIENT_CERTIFICATE, MANIFESTS_DIR } from '../paths.js';
import { type Bootstrapping, signBootstrapRequest } from './sign.js';

/** Long enough for a slow host, short enough to be worthless afterwards; deleted as soon as it was used. */
const TOKEN_TTL = '15m0s';

/** Looks every 100 ms, on the host, for what TLS bootstrap leaves behind. */
const AWAIT_BOOTSTRAP = `i=0
while ! [ -s ${KUBELET_CLIENT_CERTIFICATE} ]; do
  i=$((i+1)); [ $i -gt "$1" ] && exit 1
  sleep 0.1
done
rm -f ${BOOTSTRAP_KUBELET_CONF}
`;

const EVIDENCE = 'journalctl -u kubelet -n 30 --no-pager -o cat';

/**
 * Starts a host's kubelet with a token of its own, waits until it has its client certificate, and takes the
 * token back.
 * @throws DEADLINE with the kubelet's log
 */
export async function bootstrapKubelet(context: PhaseContext, host: Host): Promise<void> {
  const client = context.api();
  if (client === null) throw new KeelsonError('BUG', 'there is no API to join');
  const token = generateToken();
  const { id } = parseToken(token);
  const spec = {
    token,
    ttl: TOKEN_TTL,
    usages: ['authentication'],
    groups: [...DEFAULT_TOKEN_GROUPS],
    description: `keelson joins ${host.name}`,
  };
  await client.apply(tokenSecret(spec, new Date(context.now())) as unknown as KubeObject);
  try {
    const server = serverFor(context, host.name);
    const text = bootstrapKubeconfig({ server, caPem: await context.trust.ensureCa() }, token);
    await host.put([{ path: BOOTSTRAP_KUBELET_CONF, content: Buffer.from(text), mode: SECRET_MODE }]);
    // The kubelet watches the directory only if it is there; else it looks every 20 seconds.
    await host.exec(['mkdir', '-p', '-m', '700', MANIFESTS_DIR]);
    await host.service('restart', KUBELET_UNIT);
    const node = context.hostNamed(host.name).nodeRegistration.name;
    await whileSigning(context, client, { node, tokenId: id }, () => awaitCertificate(context, host, server));
  } finally {
    await client.remove({
      apiVersion: 'v1',
      kind: 'Secret',
      namespace: TOKEN_NAMESPACE,
      name: tokenSecretName(id),
    });
  }
}

/** Control planes join through one that serves, and use their own API server after that; workers use the endpoint. */
function serverFor({ config, first, hostNamed }: PhaseContext, host: string): string {
  return hostNamed(host).role === 'control-plane' ? localServerUrl(first) : controlPlaneUrl(config);
}

/** Signs the kubelet's request while `work` waits for the certificate; without a CA key others have to sign. */
async function whileSigning(
  context: PhaseContext,
  client: ClusterClient,
  bootstrapping: Bootstrapping,
  work: () => Promise<void>,
): Promise<void> {
  const authority = await context.trust.authority();
  if (authority === null) return work();
  const done = new AbortController();
  const signal = AbortSignal.any([context.signal, done.signal]);
  const signing = signBootstrapRequest(context, client, authority, bootstrapping, signal);
  // Once the certificate is there nothing is left to sign; before, a refusal ends the wait.
  const refused = signing.then(() => new Promise<never>(() => undefined));
  refused.catch(() => undefined);
  try {
    await Promise.race([work(), refused]);
  } finally {
    done.abort();
  }
}

async function awaitCertificate(context: PhaseContext, host: Host, server: string): Promise<void> {
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
        host: host.name,
        hint: `the kubelet's log is above; check that ${server} can be reached from ${host.name}`,
        details: { stdout: evidence.stdout.toString('utf8') },
        cause: error,
      },
    );
  }
}
