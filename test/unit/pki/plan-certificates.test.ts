import { beforeAll, describe, expect, it } from 'vitest';
import { kubeconfigText, readKubeconfig } from '../../../src/pki/kubeconfig.js';
import { type ExistingFiles, type PkiEntry, planCertificates } from '../../../src/pki/plan-certificates.js';
import { DAY, issuedFiles, NOW, scope } from './fixtures.js';

const PKI = '/etc/kubernetes/pki';
const given = scope({ cluster: { controlPlaneEndpoint: 'lb.example:6443' } });
let files: Map<string, Buffer>;
let others: Map<string, Buffer>;

beforeAll(async () => {
  files = await issuedFiles(given);
  others = await issuedFiles(given);
});

function plan(existing: ExistingFiles, now = NOW, target = given): PkiEntry[] {
  return planCertificates({ ...target, existing, now });
}

function without(...paths: string[]): Map<string, Buffer> {
  return new Map([...files].filter(([path]) => !paths.includes(path)));
}

function with_(changes: Record<string, string | Buffer | undefined>): Map<string, Buffer> {
  const changed = Object.entries(changes).map(
    ([path, content]) => [path, Buffer.from(content ?? '')] as const,
  );
  return new Map([...files, ...changed]);
}

/** The entries that are not simply kept, with the codes of their findings. */
function unusual(entries: readonly PkiEntry[]) {
  return entries
    .filter(({ standing, findings }) => standing !== 'ok' || findings.length > 0)
    .map(({ name, standing, findings }) => ({ name, standing, codes: findings.map(({ code }) => code) }));
}

describe('planCertificates', () => {
  it('keeps everything that was issued for this configuration', () => {
    expect(unusual(plan(files))).toEqual([]);
    expect(plan(files)).toHaveLength(16);
  });

  it('finds everything missing on an empty host', () => {
    expect(new Set(plan(new Map()).map(({ standing }) => standing))).toEqual(new Set(['missing']));
  });

  it('issues only what is missing', () => {
    const existing = without(
      `${PKI}/apiserver.crt`,
      `${PKI}/apiserver.key`,
      '/etc/kubernetes/scheduler.conf',
    );
    expect(unusual(plan(existing))).toEqual([
      { name: 'apiserver', standing: 'missing', codes: [] },
      { name: 'scheduler', standing: 'missing', codes: [] },
    ]);
  });

  it.each([
    ['certificate', `${PKI}/apiserver.crt`, 'certificate-missing'],
    ['key', `${PKI}/apiserver.key`, 'key-missing'],
  ])('leaves a pair without its %s to the user', (_, path, code) => {
    expect(unusual(plan(without(path)))).toEqual([{ name: 'apiserver', standing: 'invalid', codes: [code] }]);
  });

  it('finds a key of another certificate', () => {
    const existing = with_({ [`${PKI}/apiserver.key`]: files.get(`${PKI}/etcd/server.key`) });
    expect(unusual(plan(existing))).toEqual([
      { name: 'apiserver', standing: 'invalid', codes: ['key-differs'] },
    ]);
  });

  it('finds certificates and kubeconfigs of another cluster with the same names', () => {
    const existing = with_({
      [`${PKI}/apiserver.crt`]: others.get(`${PKI}/apiserver.crt`),
      [`${PKI}/apiserver.key`]: others.get(`${PKI}/apiserver.key`),
      '/etc/kubernetes/admin.conf': others.get('/etc/kubernetes/admin.conf'),
    });
    expect(unusual(plan(existing))).toEqual([
      { name: 'apiserver', standing: 'invalid', codes: ['authority-differs'] },
      { name: 'admin', standing: 'invalid', codes: ['authority-differs', 'authority-differs'] },
    ]);
  });

  it('finds what has expired, and only that', () => {
    const codes = plan(files, new Date(NOW.getTime() + 366 * DAY)).map(({ kind, findings }) => [
      kind,
      findings.map(({ code }) => code),
    ]);
    expect(new Set(codes.map((row) => JSON.stringify(row)))).toEqual(
      new Set([
        '["authority",[]]',
        '["service-account",[]]',
        '["leaf",["expired"]]',
        '["kubeconfig",["expired"]]',
      ]),
    );
  });

  it('finds what is not valid yet when the clock is behind', () => {
    const found = plan(files, new Date(NOW.getTime() - DAY)).find(({ name }) => name === 'apiserver');
    expect(found?.findings.map(({ code }) => code)).toContain('not-yet-valid');
  });

  it('marks serving certificates whose only fault is lacking names', () => {
    const moved = scope({
      cluster: { controlPlaneEndpoint: 'lb.example:6443', apiServer: { certSANs: ['new.example'] } },
    });
    const entries = plan(files, NOW, moved);
    expect(unusual(entries)).toEqual([{ name: 'apiserver', standing: 'invalid', codes: ['sans-lacking'] }]);
    expect(entries.filter(({ sansDiffer }) => sansDiffer).map(({ name }) => name)).toEqual(['apiserver']);
    expect(entries.flatMap(({ findings }) => findings)[0]?.message).toBe('is not valid for new.example');
  });

  it('does not mark a certificate for reissue that has other faults too', () => {
    const moved = scope({
      cluster: { controlPlaneEndpoint: 'lb.example:6443', apiServer: { certSANs: ['new.example'] } },
    });
    const found = plan(files, new Date(NOW.getTime() + 366 * DAY), moved).find(
      ({ name }) => name === 'apiserver',
    );
    expect(found).toMatchObject({ standing: 'invalid', sansDiffer: false });
  });

  it('warns of another group and keeps the certificate, as after an upgrade to 1.36', async () => {
    const old = scope({ kubernetesVersion: 'v1.35.4' });
    const target = scope();
    expect(unusual(plan(await issuedFiles(old), NOW, target))).toEqual([]);
    expect(unusual(plan(await issuedFiles(target), NOW, old))).toEqual([
      { name: 'apiserver-kubelet-client', standing: 'ok', codes: ['subject-differs'] },
    ]);
  });

  it('refuses usages that are lacking', () => {
    const existing = with_({
      [`${PKI}/apiserver.crt`]: files.get(`${PKI}/apiserver-kubelet-client.crt`),
      [`${PKI}/apiserver.key`]: files.get(`${PKI}/apiserver-kubelet-client.key`),
    });
    const found = plan(existing).find(({ name }) => name === 'apiserver');
    expect(found?.findings.map(({ code }) => code)).toEqual([
      'usages-lacking',
      'sans-lacking',
      'subject-differs',
    ]);
  });

  it.each([
    `${PKI}/apiserver.crt`,
    `${PKI}/apiserver.key`,
    `${PKI}/ca.key`,
    `${PKI}/sa.key`,
    '/etc/kubernetes/admin.conf',
  ])('reports garbage in %s without quoting it', (path) => {
    const entries = plan(with_({ [path]: 'garbage: [unclosed' }));
    const found = entries.filter(({ standing }) => standing === 'invalid');
    expect(found.flatMap(({ findings }) => findings)).toEqual([
      expect.objectContaining({ code: 'unreadable', path }),
    ]);
    expect(JSON.stringify(found)).not.toContain('garbage');
  });

  it('never plans a new authority beside certificates of the lost one', () => {
    const entries = plan(without(`${PKI}/etcd/ca.crt`, `${PKI}/etcd/ca.key`));
    expect(unusual(entries)).toEqual([
      { name: 'etcd-ca', standing: 'missing', codes: [] },
      ...['etcd-server', 'etcd-peer', 'etcd-healthcheck-client', 'apiserver-etcd-client'].map((name) => ({
        name,
        standing: 'invalid',
        codes: ['authority-missing'],
      })),
    ]);
  });

  it('refuses an authority that is none, or of another key', () => {
    const leafAsCa = with_({ [`${PKI}/etcd/ca.crt`]: files.get(`${PKI}/etcd/peer.crt`) });
    expect(
      plan(leafAsCa)
        .find(({ name }) => name === 'etcd-ca')
        ?.findings.map(({ code }) => code),
    ).toEqual(['not-an-authority', 'key-differs']);
  });
});

describe('an authority with its chain', () => {
  it('is warned of, since a controller manager does not sign with it', () => {
    const chain = Buffer.concat([files, others].map((set) => set.get(`${PKI}/ca.crt`) ?? Buffer.alloc(0)));
    expect(unusual(plan(with_({ [`${PKI}/ca.crt`]: chain })))).toEqual([
      { name: 'ca', standing: 'ok', codes: ['several-certificates'] },
    ]);
  });
});

describe('external authorities', () => {
  it('are good without their key as long as nothing has to be signed', () => {
    const entries = plan(without(`${PKI}/ca.key`));
    expect(unusual(entries)).toEqual([]);
    expect(entries.filter(({ external }) => external).map(({ name }) => name)).toEqual(['ca']);
  });

  it('cannot sign what is missing', () => {
    const entries = plan(
      without(`${PKI}/ca.key`, `${PKI}/apiserver.crt`, `${PKI}/apiserver.key`, '/etc/kubernetes/admin.conf'),
    );
    expect(unusual(entries)).toEqual([
      { name: 'apiserver', standing: 'invalid', codes: ['authority-external'] },
      { name: 'admin', standing: 'invalid', codes: ['authority-external'] },
    ]);
  });
});

describe('the service-account key pair', () => {
  it('has its public half derived where only that is missing', () => {
    expect(unusual(plan(without(`${PKI}/sa.pub`)))).toEqual([{ name: 'sa', standing: 'missing', codes: [] }]);
  });

  it('is not made anew where only the public half is there', () => {
    expect(unusual(plan(without(`${PKI}/sa.key`)))).toEqual([
      { name: 'sa', standing: 'invalid', codes: ['key-missing'] },
    ]);
  });

  it('has to match', () => {
    const existing = with_({ [`${PKI}/sa.pub`]: others.get(`${PKI}/sa.pub`) });
    expect(unusual(plan(existing))).toEqual([{ name: 'sa', standing: 'invalid', codes: ['key-differs'] }]);
  });
});

describe('existing kubeconfigs', () => {
  const path = '/etc/kubernetes/admin.conf';
  const view = (name = path) => readKubeconfig(files.get(name)?.toString() ?? '', name);

  it('may point elsewhere with a warning', () => {
    const moved = scope({ cluster: { controlPlaneEndpoint: 'lb.example:443' } });
    expect(unusual(plan(files, NOW, moved))).toEqual([
      { name: 'admin', standing: 'ok', codes: ['server-differs'] },
      { name: 'super-admin', standing: 'ok', codes: ['server-differs'] },
    ]);
  });

  it('must be of the right user', () => {
    const existing = with_({ [path]: files.get('/etc/kubernetes/scheduler.conf') });
    expect(unusual(plan(existing))).toEqual([
      { name: 'admin', standing: 'invalid', codes: ['server-differs', 'subject-differs'] },
    ]);
  });

  it('may trust further authorities', () => {
    const { certPem, keyPem, caPem } = view();
    const text = kubeconfigText({
      clusterName: 'kubernetes',
      server: 'https://lb.example:6443',
      caPem: `${others.get(`${PKI}/ca.crt`)}${caPem}`,
      userName: 'someone',
      user: { certPem: certPem ?? '', keyPem: keyPem ?? '' },
    });
    expect(unusual(plan(with_({ [path]: text })))).toEqual([]);
  });

  it("may refer to the kubelet's rotated certificate, checked where its file is known", () => {
    const kubelet = '/etc/kubernetes/kubelet.conf';
    const rotated = '/var/lib/kubelet/pki/kubelet-client-current.pem';
    const { certPem, keyPem } = view(kubelet);
    const text = (files.get(kubelet)?.toString() ?? '').replace(
      /client-(certificate|key)-data: .*/g,
      `client-$1: ${rotated}`,
    );
    expect(unusual(plan(with_({ [kubelet]: text })))).toEqual([]);
    expect(unusual(plan(with_({ [kubelet]: text, [rotated]: `${certPem}${keyPem}` })))).toEqual([]);
    const later = new Date(NOW.getTime() + 366 * DAY);
    const found = plan(with_({ [kubelet]: text, [rotated]: `${certPem}${keyPem}` }), later);
    expect(found.find(({ name }) => name === 'kubelet')?.findings).toEqual([
      expect.objectContaining({ code: 'expired', path: rotated }),
    ]);
  });

  it('must have credentials', () => {
    const text = (files.get(path)?.toString() ?? '').replace(/client-(certificate|key)-data: .*/g, '');
    expect(unusual(plan(with_({ [path]: text.replace('user:\n', 'user: {}\n') })))).toEqual([
      { name: 'admin', standing: 'invalid', codes: ['certificate-missing'] },
    ]);
  });
});
