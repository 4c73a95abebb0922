import { createPublicKey } from 'node:crypto';
import type { ClusterClient, KubeObject } from '../../cluster/client.js';
import { generateKey, privateKeyPem, publicKeyPem } from '../../pki/keys.js';
import { keyId, publicKeyBundle, readToken, signToken } from '../../pki/service-account.js';
import { SECRET_MODE, serviceAccountPaths } from '../../pki/table.js';
import { awaitApi } from './await-api.js';
import { awaitTrust, knowsCaller } from './handshakes.js';
import type { HostWork, RotationKind } from './kind.js';
import { isLast, issuerAfter, type Run, trustAfter } from './run.js';
import type { Step } from './state.js';

const TOKEN_PATH = '/api/v1/namespaces/default/serviceaccounts/default/token';
/** The shortest life that the API gives a token, seconds. */
const TOKEN_SECONDS = 600;
const API_MS = 240_000;

/** API servers and controller managers read the keys when they start. */
export const serviceAccountKey: RotationKind = {
  name: 'sa',
  title: 'the service accounts’ key',
  does: {
    trust:
      'sa.pub holds the old and the new key; API servers are restarted, control plane after control plane',
    issue:
      'tokens are signed with the new key from now on; API servers and controller managers are restarted, control plane after control plane',
    restart: 'tokens in Secrets are issued anew, and pods replaced, which gives them tokens of the new key',
    verify: 'every file is looked at, and every API server gives a token of the new key',
    drop: 'the old key is taken away and API servers are restarted once more: tokens of the old key are refused; there is no way back from here',
    reissue: 'tokens are signed with the old key again',
    'restart-back': 'tokens in Secrets are issued with the old key again, and pods replaced',
    distrust: 'the new key is taken away and API servers are restarted once more',
  },
  consequences: [
    'with a single control plane the API is away while the API server restarts, three times',
    'tokens that were handed out (kubectl create token, copies of Secrets) are refused from drop on, whatever time they had left',
    'pods that are not replaced get new tokens from their kubelet within their tokens’ life, an hour as a rule: with --restart-workloads none end with --until restart and wait that long',
  ],
  create: async ({ cluster }, context) => {
    const key = await (context.generateKey ?? generateKey)(cluster.encryptionAlgorithm);
    return { certPem: publicKeyPem(createPublicKey(key)), keyPem: privateKeyPem(key) };
  },
  present: ({ cluster }, files) => {
    const { key, pub } = serviceAccountPaths(cluster);
    const keyPem = files.get(key)?.toString();
    const certPem = files.get(pub)?.toString();
    return keyPem === undefined || certPem === undefined ? null : { certPem, keyPem };
  },
  surveyed: false,
  refusal: () => null,
  hosts: (run) => run.planes.map(({ name }) => name),
  work: async (run, _host, step) => {
    const { key, pub } = serviceAccountPaths(run.session.context.config.cluster);
    const { issuer, also } = trustAfter(run.pairs, step);
    const bundle = publicKeyBundle([issuer, ...also].map(({ certPem }) => certPem));
    return {
      files: [
        { path: key, content: Buffer.from(issuer.keyPem), mode: SECRET_MODE },
        { path: pub, content: Buffer.from(bundle), mode: SECRET_MODE },
      ],
      pods: podsOf(step),
      kubelet: false,
    };
  },
  settled,
  objects: async () => undefined,
  beforeRestart: reissueSecrets,
  leftovers: () => [],
};

/** The controller manager asks the API server beside it for its controllers' tokens, so it comes second. */
function podsOf(step: Step): HostWork['pods'] {
  const api = { components: ['kube-apiserver'] as const };
  const controllers = { components: ['kube-controller-manager'] as const };
  if (step === 'trust') return [api];
  return step === 'issue' || step === 'reissue' || isLast(step) ? [api, controllers] : [];
}

async function settled(run: Run, host: string, step: Step): Promise<void> {
  const plane = run.planes.find(({ name }) => name === host);
  if (plane === undefined) return;
  const wanted = keyId(run.pairs[issuerAfter(step)].certPem);
  let claims: Record<string, unknown> = {};
  await awaitApi(
    run,
    async () => {
      const given = readToken(await tokenFrom(await run.api(plane)));
      claims = given.claims;
      return { met: given.keyId === wanted, state: 'it signs with another key' };
    },
    { host, for: `the API server of ${host} to sign with the right key`, deadlineMs: API_MS },
  );
  const { advertiseAddress: address, bindPort: port } = plane.localAPIEndpoint;
  await awaitTrust(
    run,
    {
      who: `the API server of ${host}`,
      host,
      endpoint: { address, port },
      request: async (which) => {
        const { certPem, keyPem } = run.pairs[which];
        const token = signToken(claims, { publicPem: certPem, privatePem: keyPem });
        return {
          path: '/api/v1/nodes',
          headers: { authorization: `Bearer ${token}` },
          servername: 'kubernetes',
        };
      },
      knows: knowsCaller,
    },
    step,
  );
}

async function tokenFrom(api: ClusterClient): Promise<string> {
  const body = JSON.stringify({
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { expirationSeconds: TOKEN_SECONDS },
  });
  const answer = await api.request('POST', TOKEN_PATH, { body });
  return String((answer.body as { status?: { token?: string } }).status?.token ?? '');
}

/** A Secret whose token is taken away gets a new one from the controller manager. */
async function reissueSecrets(run: Run, step: Step): Promise<void> {
  const wanted = keyId(run.pairs[issuerAfter(step)].certPem);
  await awaitApi(
    run,
    async (api) => {
      const type = encodeURIComponent('type=kubernetes.io/service-account-token');
      const secrets = await api.list(`/api/v1/secrets?fieldSelector=${type}`);
      const left = secrets.filter((secret) => {
        const token = tokenIn(secret);
        return token === null || readToken(token).keyId !== wanted;
      });
      await Promise.all(
        left
          .filter((secret) => tokenIn(secret) !== null)
          .map(({ metadata: { name, namespace } }) =>
            api.patch({ apiVersion: 'v1', kind: 'Secret', namespace, name }, { data: { token: null } }),
          ),
      );
      const names = left.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
      return { met: left.length === 0, state: `not yet in ${names.slice(0, 3).join(', ')}` };
    },
    { host: '', for: 'new tokens in Secrets', deadlineMs: API_MS },
  );
}

function tokenIn(secret: KubeObject): string | null {
  const token = (secret.data as Record<string, string> | undefined)?.token;
  return token === undefined || token === '' ? null : Buffer.from(token, 'base64').toString();
}
