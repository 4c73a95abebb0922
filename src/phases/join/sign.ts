import { type ClusterClient, type KubeObject, statusOf } from '../../cluster/client.js';
import { durationMs, parseGoDuration } from '../../config/go-duration.js';
import { waitUntil } from '../../engine/wait.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { lastArgument } from '../../manifests/component-arguments.js';
import { type Authority, signRequest } from '../../pki/issue.js';
import { type CertificateRequest, readRequest } from '../../pki/request.js';
import type { PhaseContext } from '../context.js';

const SIGNER = 'kubernetes.io/kube-apiserver-client-kubelet';
const REQUESTS = `/apis/certificates.k8s.io/v1/certificatesigningrequests?fieldSelector=spec.signerName%3D${encodeURIComponent(SIGNER)}`;
/** The controller manager's default `--cluster-signing-duration`. */
const SIGNING_DURATION = '8760h0m0s';

interface SigningRequest extends KubeObject {
  spec: { request: string; username?: string };
  status?: { certificate?: string; conditions?: { type: string }[] };
}

/** Whose request is to be signed: the node's name, and the id of the token that only its kubelet has. */
export interface Bootstrapping {
  node: string;
  tokenId: string;
}

/**
 * Waits for the request that a kubelet makes with its one-time token, and signs it, so that the node joins
 * before the controller manager is at work. Ends when somebody else has signed first, too.
 * Throws CONFLICT when the request asks for anything but the node's own identity.
 */
export async function signBootstrapRequest(
  context: PhaseContext,
  client: ClusterClient,
  authority: Authority,
  { node, tokenId }: Bootstrapping,
  signal: AbortSignal,
): Promise<void> {
  await waitUntil(
    async () => {
      const requests = (await client.list(REQUESTS)) as SigningRequest[];
      const request = requests.find(({ spec }) => spec.username === `system:bootstrap:${tokenId}`);
      if (request === undefined) return { met: false, state: 'the kubelet has not asked yet' };
      if (request.status?.certificate === undefined) await sign(context, client, authority, node, request);
      return { met: true, state: '' };
    },
    { for: `the certificate request of ${node}`, deadlineMs: 300_000, intervalMs: 100, signal },
  );
}

async function sign(
  context: PhaseContext,
  client: ClusterClient,
  authority: Authority,
  node: string,
  request: SigningRequest,
): Promise<void> {
  const { name } = request.metadata;
  const asked = await readRequest(Buffer.from(request.spec.request, 'base64').toString(), `request ${name}`);
  refuseOthers(asked, node);
  const now = context.now();
  const certificate = await signRequest(
    asked,
    {
      commonName: asked.commonName,
      organizations: asked.organizations,
      usages: ['clientAuth'],
      sans: { dns: [], ips: [] },
      validityMs: Math.min(validityMs(context), authority.certificate.notAfter.getTime() - now),
      notBefore: 'backdated',
    },
    authority,
    { now: new Date(now) },
  );
  const path = `/apis/certificates.k8s.io/v1/certificatesigningrequests/${name}`;
  const put = async (part: string, body: unknown) =>
    (await client.request('PUT', `${path}/${part}`, { body: JSON.stringify(body) })).body as SigningRequest;
  const approval = {
    type: 'Approved',
    status: 'True',
    reason: 'KeelsonApprove',
    message: `asked by the kubelet of ${node} with its one-time token`,
  };
  try {
    const conditions = request.status?.conditions ?? [];
    const approved = conditions.some(({ type }) => type === 'Approved')
      ? request
      : await put('approval', {
          ...request,
          status: { ...request.status, conditions: [...conditions, approval] },
        });
    await put('status', {
      ...approved,
      status: { ...approved.status, certificate: Buffer.from(certificate).toString('base64') },
    });
  } catch (error) {
    // The controller manager has approved or signed it meanwhile.
    if (statusOf(error) === 409)
      throw new KeelsonError('CONFLICT', `${name} has changed`, { retryable: true });
    throw error;
  }
}

/** What the controller manager would give. */
function validityMs({ config }: PhaseContext): number {
  const asked = lastArgument(config.cluster.controllerManager.extraArgs, 'cluster-signing-duration');
  const duration = parseGoDuration(asked ?? SIGNING_DURATION);
  return 'ms' in duration ? duration.ms : durationMs(SIGNING_DURATION);
}

function refuseOthers({ commonName, organizations, sans }: CertificateRequest, node: string): void {
  const wanted = `system:node:${node}`;
  if (commonName === wanted && organizations.join() === 'system:nodes' && sans.length === 0) return;
  throw new KeelsonError(
    'CONFLICT',
    `the kubelet asks to be ${commonName} of ${organizations.join(', ') || 'no group'}${sans.length === 0 ? '' : ` with ${sans.join(', ')}`} instead of ${wanted}`,
    { hint: `nodeRegistration.name and the kubelet's --hostname-override have to agree; nothing was signed` },
  );
}
