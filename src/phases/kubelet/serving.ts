import { type ClusterClient, type KubeObject, statusOf } from '../../cluster/client.js';
import { nodeHosts } from '../../config/inventory.js';
import { waitUntil } from '../../engine/wait.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { parseHostPort } from '../../pki/endpoint.js';
import { type KnownNode, servingFaults } from '../../pki/kubelet-serving.js';
import { readRequest } from '../../pki/request.js';
import { API, NODES, SERVING_CERTIFICATES } from '../artefacts.js';
import { defineClusterPhase, type PhaseContext } from '../context.js';
import { KUBELET_SERVER_CERTIFICATE } from '../paths.js';
import { verdictOf } from '../rendered.js';
import { exists } from '../seen.js';

const SIGNER = 'kubernetes.io/kubelet-serving';
const REQUESTS = '/apis/certificates.k8s.io/v1/certificatesigningrequests';
/** A kubelet asks as soon as it knows its addresses; the controller manager signs what is approved at once. */
const SERVING_MS = 120_000;

interface SigningRequest extends KubeObject {
  spec: { request: string; username?: string; groups?: string[]; usages?: string[] };
  status?: { certificate?: string; conditions?: { type: string }[] };
}

/**
 * Kubelets that ask the cluster for their serving certificates (`serverTLSBootstrap`) get them. Kubernetes itself
 * approves no such request: nobody in the cluster knows which addresses a host has. keelson does, from the host.
 */
export const kubeletServing = defineClusterPhase({
  name: 'kubelet/serving-certificates',
  summary: 'approves kubelets’ requests for serving certificates, where they name what the host has',
  target: 'cluster',
  needs: [API, NODES],
  provides: [SERVING_CERTIFICATES],
  runIf: (context) => context.config.kubelet.serverTLSBootstrap === true,
  check: async (context) => {
    const waiting = await waitingHosts(context);
    return verdictOf(
      waiting.map((host) => ({
        kind: 'action',
        name: 'approve',
        summary: `approve the serving certificate of ${host}'s kubelet`,
        params: { host },
      })),
    );
  },
  actions: {
    approve: async (context, change) => serve(context, change.params?.host ?? ''),
  },
});

/**
 * Hosts of this run whose kubelet has no serving certificate, or asks for another one that it may have. Others'
 * requests in a node's name stay as they are, and are warned of.
 */
async function waitingHosts(context: PhaseContext): Promise<string[]> {
  const pending = await pendingRequests(context).catch((error: unknown) => {
    if (error instanceof KeelsonError && error.code === 'CONNECTION') return [];
    throw error;
  });
  const nodes = context.inventory.filter(({ role }) => role !== 'etcd');
  const found = await Promise.all(
    nodes.map(async ({ name }) => {
      const node = knownNode(context, name);
      const judged = await judgedOf(pending, node);
      const seen = await context.reader(name).read({ stats: [KUBELET_SERVER_CERTIFICATE] });
      if (!exists(seen, KUBELET_SERVER_CERTIFICATE)) return [name];
      for (const { request, faults } of judged.filter((one) => one.faults.length > 0)) {
        const text = refusal(request, faults, name).message;
        context.emit({ type: 'note', host: name, level: 'warning', text });
      }
      return judged.some(({ faults }) => faults.length === 0) ? [name] : [];
    }),
  );
  return found.flat();
}

/** Requests in a node's name, with what is wrong with each. */
async function judgedOf(pending: readonly SigningRequest[], node: KnownNode) {
  const own = pending.filter(({ spec }) => spec.username === `system:node:${node.name}`);
  return Promise.all(own.map(async (request) => ({ request, faults: await faultsOf(request, node) })));
}

async function pendingRequests(context: PhaseContext): Promise<SigningRequest[]> {
  const client = context.api();
  if (client === null) return [];
  const selector = encodeURIComponent(`spec.signerName=${SIGNER}`);
  const requests = (await client.list(`${REQUESTS}?fieldSelector=${selector}`)) as SigningRequest[];
  return requests.filter(({ status }) => (status?.conditions ?? []).length === 0);
}

/**
 * Waits for a request that this host may make, approves it, and waits until the kubelet has its certificate.
 * @throws CONFLICT where all that it asks for is not its own
 */
async function serve(context: PhaseContext, host: string): Promise<void> {
  const client = context.api();
  if (client === null) throw new KeelsonError('BUG', 'there is no API to approve at');
  const node = knownNode(context, host);
  let approved = false;
  await waitUntil(
    async () => {
      const judged = await judgedOf(await pendingRequests(context), node);
      const good = judged.filter(({ faults }) => faults.length === 0);
      const bad = judged.find(({ faults }) => faults.length > 0);
      for (const { request } of good) await approve(client, request, host);
      approved ||= good.length > 0;
      if (!approved && bad !== undefined) throw refusal(bad.request, bad.faults, host);
      const seen = await context.reader(host).read({ stats: [KUBELET_SERVER_CERTIFICATE] });
      const there = exists(seen, KUBELET_SERVER_CERTIFICATE);
      const none = approved ? 'it was approved and is not signed yet' : 'the kubelet has not asked yet';
      return { met: there && (approved || judged.length === 0), state: none };
    },
    {
      for: `the serving certificate of ${host}'s kubelet`,
      deadlineMs: SERVING_MS,
      intervalMs: 250,
      signal: context.signal,
      hint: `on ${host}: journalctl -u kubelet; kubectl get certificatesigningrequests`,
    },
  );
}

async function faultsOf(request: SigningRequest, node: KnownNode): Promise<string[]> {
  const { username = '', groups = [], usages = [] } = request.spec;
  const pem = Buffer.from(request.spec.request, 'base64').toString();
  const asked = await readRequest(pem, `request ${request.metadata.name}`);
  return servingFaults({ username, groups, usages, asked }, node);
}

/** What the host shows of itself, and the file says of it. */
function knownNode(context: PhaseContext, name: string): KnownNode {
  const host = context.hostNamed(name);
  const facts = context.facts.get(name);
  const taken = notItsOwn(context, name);
  const shown = (facts?.addresses ?? []).map(({ address }) => address);
  const { nodeIP, secondaryNodeIP } = host;
  return {
    name: host.nodeRegistration.name,
    names: facts === undefined ? [] : [facts.hostname],
    addresses: [
      nodeIP,
      ...(secondaryNodeIP === undefined ? [] : [secondaryNodeIP]),
      ...shown.filter((address) => !taken.has(address)),
    ],
  };
}

/** Addresses of other nodes and of the endpoint, which moves from host to host, whatever its interfaces have. */
function notItsOwn({ config }: PhaseContext, name: string): Set<string> {
  const { controlPlaneEndpoint } = config.cluster;
  return new Set([
    ...nodeHosts(config)
      .filter((host) => host.name !== name)
      .flatMap((host) => [host.nodeIP, host.secondaryNodeIP ?? host.nodeIP]),
    ...(controlPlaneEndpoint ? [parseHostPort(controlPlaneEndpoint).host] : []),
  ]);
}

async function approve(client: ClusterClient, request: SigningRequest, host: string): Promise<void> {
  const condition = {
    type: 'Approved',
    status: 'True',
    reason: 'KeelsonApprove',
    message: `names and addresses are those of ${host}`,
  };
  const path = `${REQUESTS}/${request.metadata.name}/approval`;
  const body = { ...request, status: { ...request.status, conditions: [condition] } };
  try {
    await client.request('PUT', path, { body: JSON.stringify(body) });
  } catch (error) {
    if (statusOf(error) !== 409) throw error;
    throw new KeelsonError('CONFLICT', `${request.metadata.name} has changed`, { retryable: true });
  }
}

function refusal(request: SigningRequest, faults: readonly string[], host: string): KeelsonError {
  return new KeelsonError(
    'CONFLICT',
    `the request ${request.metadata.name} for a serving certificate is not approved: ${faults.join('; ')}`,
    {
      host,
      hint: `find out who wrote it; where it is right: kubectl certificate approve ${request.metadata.name}; else kubectl delete certificatesigningrequest ${request.metadata.name}`,
      details: faults,
    },
  );
}
