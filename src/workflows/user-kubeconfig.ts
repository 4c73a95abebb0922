import { randomBytes, X509Certificate } from 'node:crypto';
import type { ClusterClient, KubeObject } from '../cluster/client.js';
import { waitUntil } from '../engine/wait.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { signRequest } from '../pki/issue.js';
import { generateKey, privateKeyPem } from '../pki/keys.js';
import { kubeconfigText, readKubeconfig } from '../pki/kubeconfig.js';
import { makeRequest } from '../pki/make-request.js';
import { readRequest } from '../pki/request.js';
import { clusterApi, clusterTrust } from './cluster-api.js';
import { adminKubeconfig } from './kubeconfig.js';
import type { Session } from './session.js';

export interface UserSpec {
  /** Name that the API server knows the user by. */
  user: string;
  groups: readonly string[];
  /** Milliseconds that the certificate is valid. */
  ttlMs: number;
  /** `csr`: the cluster's signer, through the API; `ca`: keelson, with the CA's key from a control plane. */
  by: 'csr' | 'ca';
}

export interface UserKubeconfig {
  /** A secret: it holds the private key, which exists nowhere else. */
  text: string;
  /** ISO 8601. */
  expires: string;
}

const SIGNER = 'kubernetes.io/kube-apiserver-client';
const REQUESTS = '/apis/certificates.k8s.io/v1/certificatesigningrequests';
/** What the API takes for expirationSeconds at least. */
const SHORTEST_MS = 600_000;
const DEADLINE_MS = 60_000;

interface SigningRequest extends KubeObject {
  status?: { certificate?: string; conditions?: { type: string; message?: string }[] };
}

/**
 * A kubeconfig for a user of the cluster. The key is made here; the certificate is signed by the cluster, or with its
 * CA. It gives a name and groups, and no rights by itself.
 * @throws USAGE for what the signer does not sign; DEADLINE where nothing signs
 */
export async function userKubeconfig(session: Session, spec: UserSpec): Promise<UserKubeconfig> {
  refuseUnsignable(spec);
  await clusterTrust(session);
  const key = await generateKey('ECDSA-P256');
  const names = { commonName: spec.user, organizations: spec.groups, sans: { dns: [], ips: [] } };
  const request = await makeRequest(names, key);
  const certPem =
    spec.by === 'ca'
      ? await signedByCa(session, spec, request)
      : await signedByCluster(session, spec, request);
  const { server, caPem } = readKubeconfig(await adminKubeconfig(session), 'admin.conf');
  const text = kubeconfigText({
    clusterName: session.context.config.name,
    server,
    caPem: caPem ?? session.context.trust.caCertificate() ?? '',
    userName: spec.user,
    user: { certPem, keyPem: privateKeyPem(key) },
  });
  return { text, expires: new Date(new X509Certificate(certPem).validTo).toISOString() };
}

/** @throws USAGE for what the signer does not sign */
export function refuseUnsignable({ groups, ttlMs, by }: UserSpec): void {
  if (by === 'csr' && groups.includes('system:masters')) {
    throw new KeelsonError('USAGE', 'the cluster signs nobody into system:masters', {
      hint: 'give another group rights by a ClusterRoleBinding, or sign with --by ca',
    });
  }
  if (by === 'csr' && ttlMs < SHORTEST_MS) {
    throw new KeelsonError('USAGE', 'the cluster signs for ten minutes at least', {
      hint: 'give a longer --ttl, or sign with --by ca',
    });
  }
}

async function signedByCa({ context }: Session, spec: UserSpec, pem: string): Promise<string> {
  const authority = await context.trust.authority();
  if (authority === null) {
    throw new KeelsonError('PKI', 'the key of the cluster CA is not on the control planes', {
      hint: 'sign with --by csr',
    });
  }
  const request = await readRequest(pem, 'request');
  const now = context.now();
  const left = authority.certificate.notAfter.getTime() - now;
  return signRequest(
    request,
    {
      commonName: spec.user,
      organizations: spec.groups,
      usages: ['clientAuth'],
      sans: { dns: [], ips: [] },
      validityMs: Math.min(spec.ttlMs, left),
      notBefore: 'backdated',
    },
    authority,
    { now: new Date(now) },
  );
}

async function signedByCluster(session: Session, spec: UserSpec, pem: string): Promise<string> {
  const client = await clusterApi(session);
  const name = `keelson-user-${randomBytes(6).toString('hex')}`;
  const path = `${REQUESTS}/${name}`;
  const body: KubeObject = {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name },
    spec: {
      request: Buffer.from(pem).toString('base64'),
      signerName: SIGNER,
      usages: ['client auth'],
      expirationSeconds: Math.floor(spec.ttlMs / 1000),
    },
  };
  try {
    const made = (await client.request('POST', REQUESTS, { body: JSON.stringify(body) }))
      .body as SigningRequest;
    const approval = {
      type: 'Approved',
      status: 'True',
      reason: 'KeelsonApprove',
      message: `keelson kubeconfig create for ${spec.user}`,
    };
    const approved = { ...made, status: { conditions: [approval] } };
    await client.request('PUT', `${path}/approval`, { body: JSON.stringify(approved) });
    return await certificateOf(client, name, session.context.signal);
  } finally {
    await client.remove({ apiVersion: body.apiVersion, kind: body.kind, name });
  }
}

async function certificateOf(client: ClusterClient, name: string, signal: AbortSignal): Promise<string> {
  let certificate = '';
  const ref = { apiVersion: 'certificates.k8s.io/v1', kind: 'CertificateSigningRequest', name };
  await waitUntil(
    async () => {
      const request = (await client.get(ref)) as SigningRequest | null;
      const failed = request?.status?.conditions?.find(({ type }) => type === 'Failed' || type === 'Denied');
      if (failed !== undefined) {
        throw new KeelsonError('API', `the cluster did not sign: ${failed.message ?? failed.type}`);
      }
      certificate = Buffer.from(request?.status?.certificate ?? '', 'base64').toString();
      return { met: certificate !== '', state: 'not signed yet' };
    },
    {
      for: 'the cluster to sign',
      deadlineMs: DEADLINE_MS,
      signal,
      hint: 'see keelson status: the controller manager signs. Or sign with --by ca',
    },
  );
  return certificate;
}
