import { beforeAll, describe, expect, it } from 'vitest';
import { contentsOf } from '../../../src/pki/cluster-pki.js';
import { inspectBundle } from '../../../src/pki/inspect.js';
import { type CertAndKey, createAuthority, openAuthority } from '../../../src/pki/issue.js';
import { readKubeconfig } from '../../../src/pki/kubeconfig.js';
import { planCertificates } from '../../../src/pki/plan-certificates.js';
import {
  holdsCertificates,
  isIssuedBy,
  issueKubeletLeaf,
  type RotationTrust,
  reissueHost,
  sameCertificates,
  trustBundle,
} from '../../../src/pki/rotation.js';
import { contextAt, issuedFiles, NOW, scope } from './fixtures.js';

const PKI = '/etc/kubernetes/pki';
const KUBECONFIGS = ['admin', 'super-admin', 'controller-manager', 'scheduler'].map(
  (name) => `/etc/kubernetes/${name}.conf`,
);
const LEAVES = [`${PKI}/apiserver.crt`, `${PKI}/apiserver-kubelet-client.crt`];

const given = scope();
const context = contextAt(NOW);
let before: Map<string, Buffer>;
let old: CertAndKey;
let fresh: CertAndKey;

beforeAll(async () => {
  before = await issuedFiles(given);
  const text = (path: string) => before.get(path)?.toString() ?? '';
  old = { certPem: text(`${PKI}/ca.crt`), keyPem: text(`${PKI}/ca.key`) };
  fresh = await createAuthority(
    { commonName: 'kubernetes', algorithm: 'ECDSA-P256', validityMs: 86_400_000 * 3650 },
    context,
  );
});

async function move(existing: Map<string, Buffer>, trust: RotationTrust): Promise<Map<string, Buffer>> {
  const files = await reissueHost({ ...given, existing, authority: 'ca', trust, context });
  return new Map([...existing, ...contentsOf(files)]);
}

function issuersOf(files: Map<string, Buffer>, authority: CertAndKey): boolean[] {
  const pems = [
    ...LEAVES.map((path) => files.get(path)?.toString() ?? ''),
    ...KUBECONFIGS.map((path) => readKubeconfig(files.get(path)?.toString() ?? '', path).certPem ?? ''),
  ];
  return pems.map((pem) => isIssuedBy(pem, authority, 'leaf', NOW));
}

const trustedBy = (files: Map<string, Buffer>, path: string) =>
  readKubeconfig(files.get(path)?.toString() ?? '', path).caPem ?? '';

describe('a CA that is being replaced', () => {
  it('is trusted beside the old one before anything is issued anew', async () => {
    const trust = { issuer: old, also: [fresh] };
    const files = await move(before, trust);
    const bundle = trustBundle(trust);
    expect(files.get(`${PKI}/ca.crt`)?.toString()).toBe(bundle);
    expect(inspectBundle(bundle, 'bundle')).toHaveLength(2);
    for (const path of KUBECONFIGS) expect(sameCertificates(trustedBy(files, path), bundle)).toBe(true);
    for (const path of LEAVES) expect(files.get(path)).toEqual(before.get(path));
    expect(issuersOf(files, old)).not.toContain(false);
    expect(files.get(`${PKI}/ca.key`)?.toString()).toBe(old.keyPem);
  });

  it('issues everything that the old one signed, and nothing else', async () => {
    const trusted = await move(before, { issuer: old, also: [fresh] });
    const files = await move(trusted, { issuer: fresh, also: [old] });
    expect(issuersOf(files, fresh)).not.toContain(false);
    expect(files.get(`${PKI}/ca.key`)?.toString()).toBe(fresh.keyPem);
    for (const path of ['etcd/server.crt', 'front-proxy-client.crt', 'sa.key', 'etcd/ca.crt'])
      expect(files.get(`${PKI}/${path}`)).toEqual(before.get(`${PKI}/${path}`));
    expect(files.get('/etc/kubernetes/kubelet.conf')).toEqual(before.get('/etc/kubernetes/kubelet.conf'));
  });

  it('issues nothing twice when the step is done again', async () => {
    const trusted = await move(before, { issuer: old, also: [fresh] });
    const issued = await move(trusted, { issuer: fresh, also: [old] });
    expect(await move(issued, { issuer: fresh, also: [old] })).toEqual(issued);
  });

  it('leaves a PKI in which nothing is wrong and nothing of the old one', async () => {
    const trusted = await move(before, { issuer: old, also: [fresh] });
    const issued = await move(trusted, { issuer: fresh, also: [old] });
    const files = await move(issued, { issuer: fresh, also: [] });
    expect(files.get(`${PKI}/ca.crt`)?.toString()).toBe(trustBundle({ issuer: fresh, also: [] }));
    const kubeconfigs = ['admin', 'super-admin', 'controller-manager', 'scheduler'] as const;
    const entries = planCertificates({ ...given, existing: files, now: NOW, kubeconfigs });
    expect(entries.filter(({ standing }) => standing !== 'ok')).toEqual([]);
    for (const [path, content] of files) {
      if (path === '/etc/kubernetes/kubelet.conf') continue;
      const embedded = path.endsWith('.conf') ? trustedBy(files, path) : content.toString();
      expect(holdsCertificates(embedded, old.certPem), path).toBe(false);
    }
  });

  it('can be taken back: the old one signs again, then the new one is gone', async () => {
    const trusted = await move(before, { issuer: old, also: [fresh] });
    const issued = await move(trusted, { issuer: fresh, also: [old] });
    const again = await move(issued, { issuer: old, also: [fresh] });
    const files = await move(again, { issuer: old, also: [] });
    expect(issuersOf(files, old)).not.toContain(false);
    expect(files.get(`${PKI}/ca.crt`)).toEqual(before.get(`${PKI}/ca.crt`));
    expect(files.get(`${PKI}/ca.key`)).toEqual(before.get(`${PKI}/ca.key`));
    for (const path of KUBECONFIGS) expect(sameCertificates(trustedBy(files, path), old.certPem)).toBe(true);
  });

  it('certifies a node’s kubelet for that node alone', async () => {
    const authority = await openAuthority(fresh, { cert: 'ca.crt', key: 'ca.key' });
    const { certPem } = await issueKubeletLeaf(given.cluster, 'w1', null, authority, context);
    const [leaf] = inspectBundle(certPem, 'kubelet');
    expect(leaf.commonName).toBe('system:node:w1');
    expect(leaf.organizations).toEqual(['system:nodes']);
    expect(leaf.usages).toEqual(['clientAuth']);
    expect(leaf.sans).toEqual({ dns: [], ips: [] });
    expect(isIssuedBy(certPem, fresh, 'kubelet', NOW)).toBe(true);
    const sans = { dns: ['w1'], ips: ['10.0.0.2'] };
    const serving = await issueKubeletLeaf(given.cluster, 'w1', sans, authority, context);
    expect(inspectBundle(serving.certPem, 'kubelet')[0]).toMatchObject({ usages: ['serverAuth'], sans });
    expect(isIssuedBy(certPem, old, 'kubelet', NOW)).toBe(false);
  });
});
