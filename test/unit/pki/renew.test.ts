import { spawnSync } from 'node:child_process';
import { createPublicKey, X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { inspectBundle } from '../../../src/pki/inspect.js';
import { openAuthority } from '../../../src/pki/issue.js';
import { generateKey, parsePrivateKey } from '../../../src/pki/keys.js';
import { readKubeconfig } from '../../../src/pki/kubeconfig.js';
import { kubeletClient, renewableOn, renewed } from '../../../src/pki/renew.js';
import { contextAt, DAY, issuedFiles, NOW, scope } from './fixtures.js';

const PKI = '/etc/kubernetes/pki';
const given = scope();
/** The files are of a year and a bit ago: all leaves have expired. */
let files: Map<string, Buffer>;

beforeAll(async () => {
  files = await issuedFiles(given, new Date(NOW.getTime() - 370 * DAY));
});

const text = (path: string) => files.get(path)?.toString() ?? '';
const authority = (base: string) =>
  openAuthority(
    { certPem: text(`${PKI}/${base}.crt`), keyPem: text(`${PKI}/${base}.key`) },
    { cert: `${base}.crt`, key: `${base}.key` },
  );
const BASES = { ca: 'ca', 'front-proxy-ca': 'front-proxy-ca', 'etcd-ca': 'etcd/ca' } as const;

async function renew(name: string) {
  const renewable = renewableOn(given.cluster, 'control-plane').find((one) => one.name === name);
  if (renewable === undefined) throw new Error(`no ${name}`);
  const before = text(renewable.paths[0]);
  const after = await renewed(
    renewable,
    given,
    await authority(BASES[renewable.authority]),
    before,
    contextAt(NOW),
  );
  return { renewable, before, after };
}

/** What openssl says of a leaf under an authority, as strict as it can be. */
async function opensslVerify(leaf: string, ca: string, purpose: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'keelson-verify-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  await writeFile(join(directory, 'leaf.pem'), leaf);
  await writeFile(join(directory, 'ca.pem'), ca);
  const at = String(Math.floor(NOW.getTime() / 1000));
  const arguments_ = ['-x509_strict', '-purpose', purpose, '-attime', at, '-CAfile', 'ca.pem', 'leaf.pem'];
  const { stdout, stderr } = spawnSync('openssl', ['verify', ...arguments_], { cwd: directory });
  return `${stdout}${stderr}`.trim();
}

describe('renewableOn', () => {
  it('has the names of kubeadm certs renew', () => {
    expect(
      renewableOn(given.cluster, 'control-plane')
        .map(({ name }) => name)
        .sort(),
    ).toEqual([
      'admin.conf',
      'apiserver',
      'apiserver-etcd-client',
      'apiserver-kubelet-client',
      'controller-manager.conf',
      'etcd-healthcheck-client',
      'etcd-peer',
      'etcd-server',
      'front-proxy-client',
      'scheduler.conf',
      'super-admin.conf',
    ]);
    expect(renewableOn(given.cluster, 'worker')).toEqual([]);
  });
});

describe('renewed', () => {
  it.each([
    ['apiserver', 'sslserver'],
    ['apiserver-kubelet-client', 'sslclient'],
    ['front-proxy-client', 'sslclient'],
    ['etcd-server', 'sslserver'],
    ['etcd-peer', 'sslclient'],
    ['etcd-healthcheck-client', 'sslclient'],
    ['apiserver-etcd-client', 'sslclient'],
  ])('makes a new %s that openssl verifies strictly', async (name, purpose) => {
    const { renewable, before, after } = await renew(name);
    const [cert, key = ''] = renewable.paths;
    const certPem = after.get(cert) ?? '';
    const [old] = inspectBundle(before, 'old');
    const [info] = inspectBundle(certPem, 'new');
    expect(await opensslVerify(certPem, text(`${PKI}/${BASES[renewable.authority]}.crt`), purpose)).toBe(
      'leaf.pem: OK',
    );
    expect(info.x509.checkPrivateKey(parsePrivateKey(after.get(key) ?? '', 'key'))).toBe(true);
    expect(info.x509.publicKey.equals(old.x509.publicKey)).toBe(false);
    expect([info.commonName, info.organizations, info.usages, info.sans]).toEqual([
      old.commonName,
      old.organizations,
      old.usages,
      old.sans,
    ]);
    expect(old.notAfter < NOW && NOW < info.notAfter).toBe(true);
  });

  it('keeps everything of a kubeconfig but its credentials', async () => {
    const custom = text('/etc/kubernetes/admin.conf').replace(/server: .*/, 'server: https://elsewhere:443');
    files.set('/etc/kubernetes/admin.conf', Buffer.from(custom));
    const { before, after } = await renew('admin.conf');
    const content = after.get('/etc/kubernetes/admin.conf') ?? '';
    const [old, view] = [readKubeconfig(before, 'old'), readKubeconfig(content, 'new')];
    expect({ ...view, certPem: null, keyPem: null }).toEqual({ ...old, certPem: null, keyPem: null });
    expect(view.server).toBe('https://elsewhere:443');
    const leaf = new X509Certificate(view.certPem ?? '');
    expect(leaf.checkPrivateKey(parsePrivateKey(view.keyPem ?? '', 'key'))).toBe(true);
    expect(leaf.subject).toBe(new X509Certificate(old.certPem ?? '').subject);
    expect(await opensslVerify(view.certPem ?? '', text(`${PKI}/ca.crt`), 'sslclient')).toBe('leaf.pem: OK');
  });
});

describe('kubeletClient', () => {
  it.each(['RSA-2048', 'ECDSA-P256'] as const)('signs the %s key that the kubelet has', async (algorithm) => {
    const key = await generateKey(algorithm);
    const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
    const pem = await kubeletClient(publicKey, given, await authority('ca'), contextAt(NOW));
    const [info] = inspectBundle(pem, 'kubelet');
    expect(info).toMatchObject({
      commonName: 'system:node:cp1',
      organizations: ['system:nodes'],
      usages: ['clientAuth'],
      sans: { dns: [], ips: [] },
    });
    expect(info.x509.checkPrivateKey(key)).toBe(true);
    expect(await opensslVerify(pem, text(`${PKI}/ca.crt`), 'sslclient')).toBe('leaf.pem: OK');
  });
});
