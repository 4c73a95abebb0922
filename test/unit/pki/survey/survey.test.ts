import { X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { createAuthority, createLeaf, openAuthority } from '../../../../src/pki/issue.js';
import { planCertificates } from '../../../../src/pki/plan-certificates.js';
import { surveyCertificates } from '../../../../src/pki/survey/survey.js';
import type {
  CertificateSurvey,
  FoundFile,
  Presented,
  TrustObject,
} from '../../../../src/pki/survey/types.js';
import { contextAt, DAY, issuedFiles, NOW, scope } from '../fixtures.js';

const PKI = '/etc/kubernetes/pki';
const CLIENT = '/var/lib/kubelet/pki/kubelet-client-current.pem';
const given = scope();
const places = {
  kubeletClient: CLIENT,
  kubeletConf: '/etc/kubernetes/kubelet.conf',
  kubeletServer: [{ cert: '/var/lib/kubelet/pki/kubelet.crt', key: '/var/lib/kubelet/pki/kubelet.key' }],
  kubeletClientCa: `${PKI}/ca.crt`,
};
let issued: Map<string, Buffer>;

beforeAll(async () => {
  issued = await issuedFiles(given);
});

interface Scene {
  files?: ReadonlyMap<string, Buffer>;
  now?: Date;
  modes?: Record<string, number>;
  presented?: Presented[];
  trust?: TrustObject[];
  warnDays?: number;
}

function survey({ files = issued, now = NOW, modes = {}, ...more }: Scene = {}): CertificateSurvey {
  const found = new Map(
    [...files].map(([path, content]): [string, FoundFile] => [
      path,
      { path, content, mode: modes[path] ?? (path.endsWith('.crt') ? 0o644 : 0o600) },
    ]),
  );
  const entries = planCertificates({ ...given, existing: files, now });
  return surveyCertificates({
    cluster: 'demo',
    now,
    warnDays: more.warnDays ?? 30,
    hosts: [{ host: given.host, files: found, entries }],
    placesOf: () => places,
    presented: more.presented ?? [],
    trust: more.trust ?? [],
    first: given.host.name,
    unseen: [],
  });
}

const told = ({ findings }: CertificateSurvey) =>
  findings.map(({ severity, place, code }) => `${severity} ${place} ${code}`);
const pem = (path: string) => issued.get(path)?.toString() ?? '';
const item = (from: CertificateSurvey, name: string, part = 'leaf') =>
  from.items.find((one) => one.name === name && one.part === part);

async function ca() {
  return openAuthority(
    { certPem: pem(`${PKI}/ca.crt`), keyPem: pem(`${PKI}/ca.key`) },
    { cert: 'ca', key: 'ca' },
  );
}

async function kubeletPem(commonName: string, now: Date, validityMs = 365 * DAY): Promise<Buffer> {
  const spec = {
    commonName,
    organizations: ['system:nodes'],
    usages: ['clientAuth'],
    sans: { dns: [], ips: [] },
    algorithm: 'ECDSA-P256',
    validityMs,
    notBefore: 'backdated',
  } as const;
  const { certPem, keyPem } = await createLeaf(spec, await ca(), contextAt(now));
  return Buffer.from(certPem + keyPem);
}

describe('surveyCertificates', () => {
  it('finds nothing wrong with what was just issued', () => {
    const result = survey();
    expect(told(result)).toEqual([]);
    expect(result.problems).toBe(0);
    const names = result.items.filter(({ part }) => part === 'leaf').map(({ name }) => name);
    expect(names).toEqual([
      'apiserver',
      'apiserver-kubelet-client',
      'front-proxy-client',
      'etcd-server',
      'etcd-peer',
      'etcd-healthcheck-client',
      'apiserver-etcd-client',
      'admin.conf',
      'super-admin.conf',
      'controller-manager.conf',
      'scheduler.conf',
      'kubelet.conf',
    ]);
  });

  it('says who signed what, whether keys match, and for which names', () => {
    const result = survey();
    const leaf = item(result, 'etcd-server');
    const [etcdCa] = result.authorities['etcd-ca'] ?? [];
    expect(leaf?.certificates[0]?.signedBy).toBe(etcdCa);
    expect(leaf?.keyMatches).toBe(true);
    expect(leaf?.certificates[0]?.sans.dns).toContain('localhost');
    expect(new Set(result.items.filter(({ part }) => part === 'leaf').map((one) => one.keyMatches))).toEqual(
      new Set([true]),
    );
  });

  it('holds no key', () => {
    expect(JSON.stringify(survey())).not.toContain('PRIVATE KEY');
  });

  it('warns of what ends soon, and not before', () => {
    expect(told(survey({ now: new Date(NOW.getTime() + 334 * DAY) }))).toEqual([]);
    const late = survey({ now: new Date(NOW.getTime() + 336 * DAY) });
    expect(new Set(late.findings.map(({ code, severity }) => `${severity} ${code}`))).toEqual(
      new Set(['warning expiring']),
    );
    expect(late.findings.find(({ name }) => name === 'apiserver')).toMatchObject({
      message: expect.stringMatching(/^expires in 28 days/),
      remedy: 'run keelson certs renew apiserver',
    });
    expect(late.problems).toBe(12);
  });

  it('names everything that has expired, once', () => {
    const late = survey({ now: new Date(NOW.getTime() + 400 * DAY) });
    expect(new Set(late.findings.map(({ code, severity }) => `${severity} ${code}`))).toEqual(
      new Set(['error expired']),
    );
    expect(late.findings).toHaveLength(12);
  });

  it('finds a key that is not the certificate’s, and one that others may read', () => {
    const files = new Map([
      ...issued,
      [`${PKI}/apiserver.key`, issued.get(`${PKI}/etcd/peer.key`) ?? Buffer.of()],
    ]);
    expect(told(survey({ files, modes: { [`${PKI}/sa.key`]: 0o644 } }))).toEqual([
      `error ${PKI}/apiserver.crt key-differs`,
      `warning ${PKI}/sa.key readable-by-others`,
    ]);
  });

  it('names what is missing', () => {
    const files = new Map([...issued].filter(([path]) => !path.startsWith(`${PKI}/apiserver.`)));
    expect(told(survey({ files }))).toEqual([`error ${PKI}/apiserver.crt certificate-missing`]);
  });

  it('checks a kubelet’s client certificate for identity, authority and rotation', async () => {
    const with_ = async (content: Buffer) => survey({ files: new Map([...issued, [CLIENT, content]]) });
    const node = `system:node:${given.host.nodeRegistration.name}`;
    expect(told(await with_(await kubeletPem(node, NOW)))).toEqual([]);
    expect(told(await with_(await kubeletPem('system:node:other', NOW)))).toEqual([
      `error ${CLIENT} subject-differs`,
    ]);
    const old = await kubeletPem(node, new Date(NOW.getTime() - 97 * DAY), 100 * DAY);
    expect(told(await with_(old))).toEqual([`warning ${CLIENT} expiring`, `warning ${CLIENT} not-rotated`]);
  });

  it('does not mind that a kubelet’s own serving certificate has expired', async () => {
    const own = await createAuthority(
      { commonName: 'cp1@1700000000', algorithm: 'ECDSA-P256', validityMs: DAY },
      contextAt(new Date(NOW.getTime() - 3 * DAY)),
    );
    const files = new Map([...issued, ['/var/lib/kubelet/pki/kubelet.crt', Buffer.from(own.certPem)]]);
    const result = survey({ files });
    expect(told(result)).toEqual(['note /var/lib/kubelet/pki/kubelet.crt expired']);
    expect(result.problems).toBe(0);
  });

  it('tells a process that has not read the new file from one that has', async () => {
    const presented = (chain: string): Presented[] => [
      {
        host: given.host.name,
        program: 'kube-apiserver',
        place: '10.0.0.1:6443',
        answer: { chain: [chain] },
      },
    ];
    expect(told(survey({ presented: presented(pem(`${PKI}/apiserver.crt`)) }))).toEqual([]);
    const other = await issuedFiles(given);
    const stale = survey({ presented: presented(other.get(`${PKI}/apiserver.crt`)?.toString() ?? '') });
    expect(told(stale)).toEqual(['warning 10.0.0.1:6443 process-differs']);
    const { serialNumber } = new X509Certificate(pem(`${PKI}/apiserver.crt`));
    expect(stale.findings[0]?.message).toContain(`${PKI}/apiserver.crt has ${serialNumber}`);
  });

  it('says which program presents nothing', () => {
    const presented: Presented[] = [
      { host: given.host.name, program: 'etcd', place: '10.0.0.1:2379', answer: { failure: 'refused' } },
    ];
    expect(survey({ presented }).findings).toMatchObject([
      { code: 'no-answer', severity: 'warning', message: 'presents nothing: refused' },
    ]);
  });

  it('wants the cluster’s authority in trust bundles, and valid ones in those of others', async () => {
    const other = await issuedFiles(given);
    const foreign = other.get(`${PKI}/ca.crt`)?.toString() ?? '';
    const trust = (text: string, authority: 'ca' | null, now = NOW) =>
      told(survey({ now, trust: [{ place: 'ConfigMap x', name: 'x', pem: text, authority }] })).filter(
        (line) => line.includes('ConfigMap'),
      );
    const own = pem(`${PKI}/ca.crt`);
    expect(trust(own, 'ca')).toEqual([]);
    expect(trust(own + foreign, 'ca')).toEqual([]);
    expect(trust(foreign, 'ca')).toEqual(['error ConfigMap x trust-lacks-authority']);
    expect(trust(foreign, null)).toEqual([]);
    expect(trust('no PEM', null)).toEqual(['error ConfigMap x unreadable']);
    expect(trust(foreign, null, new Date(NOW.getTime() + 4000 * DAY))).toEqual(['error ConfigMap x expired']);
  });

  it('only notes what lies beside and nobody is known to use', async () => {
    const old = await issuedFiles(given, new Date(NOW.getTime() - 400 * DAY));
    const files = new Map([
      ...issued,
      [`${PKI}/webhook.crt`, old.get(`${PKI}/apiserver.crt`) ?? Buffer.of()],
    ]);
    const result = survey({ files });
    expect(told(result)).toEqual([`note ${PKI}/webhook.crt expired`]);
    expect(result.problems).toBe(0);
  });
});

describe('surveyCertificates of several hosts', () => {
  it('finds control planes whose authorities or service-account keys are not the same', async () => {
    const other = await issuedFiles(given);
    const hostOf = (name: string, files: ReadonlyMap<string, Buffer>) => ({
      host: { ...given.host, name },
      files: new Map([...files].map(([path, content]) => [path, { path, content, mode: 0o600 }] as const)),
      entries: planCertificates({ ...given, existing: files, now: NOW }),
    });
    const result = surveyCertificates({
      cluster: 'demo',
      now: NOW,
      warnDays: 30,
      hosts: [hostOf('cp1', issued), hostOf('cp2', other)],
      placesOf: () => places,
      presented: [],
      trust: [],
      first: 'cp1',
      unseen: [],
    });
    const differing = result.findings.filter(({ code }) => code === 'hosts-differ');
    expect(differing.map(({ host, name }) => `${host} ${name}`)).toEqual([
      'cp1 sa',
      'cp2 ca',
      'cp2 front-proxy-ca',
      'cp2 etcd-ca',
      'cp2 sa',
    ]);
  });
});
