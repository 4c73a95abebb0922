import { describe, expect, it } from 'vitest';
import { renewal } from '../../../../src/phases/certs/renew.js';
import { inspectBundle } from '../../../../src/pki/inspect.js';
import { readKubeconfig } from '../../../../src/pki/kubeconfig.js';
import { withFreshTrust, withFreshUsers } from '../../../../src/workflows/certs/local-kubeconfigs.js';
import { namesToRenew, planRenewal } from '../../../../src/workflows/certs/renew.js';
import { renamedKubeconfig } from '../../../../src/workflows/merge-kubeconfig.js';
import { makePlan } from '../../../../src/workflows/plan.js';
import { cluster, clusterOfThree, clusterWithEtcd, fakeSession } from '../fixture.js';
import { PKI, renew, textOn, withCertificates } from './fixture.js';

describe('namesToRenew', () => {
  it('takes kubeadm’s names and all of them', () => {
    expect([...namesToRenew(cluster(), { names: ['admin.conf', 'etcd-peer'] })]).toEqual([
      'admin.conf',
      'etcd-peer',
    ]);
    expect(namesToRenew(cluster(), { names: ['all'] }).size).toBe(11);
    expect(namesToRenew(cluster(), { names: [] }).size).toBe(11);
  });

  it('knows no others', () => {
    expect(() => namesToRenew(cluster(), { names: ['apiservr'] })).toThrow(
      /no certificate apiservr.*apiserver/,
    );
  });
});

describe('planRenewal', () => {
  it('changes nothing, and has everything of every control plane', async () => {
    const session = await withCertificates(clusterOfThree());
    const plan = await planRenewal(session, { names: [] });
    const files = plan.tasks
      .flatMap(({ host, changes }) => changes.map((change) => ({ host, change })))
      .flatMap(({ host, change }) => (change.kind === 'file' ? [`${host} ${change.path}`] : []));
    expect(files.filter((file) => file.startsWith('cp1'))).toHaveLength(18);
    // super-admin.conf is the first one's alone.
    expect(files.filter((file) => file.startsWith('cp2'))).toHaveLength(17);
    expect(files.filter((file) => file.startsWith('w1'))).toEqual([]);
    expect(JSON.stringify(plan)).not.toContain('PRIVATE KEY');
    for (const host of session.fakes.values()) expect(host.mutations()).toEqual([]);
  });

  it('is blocked where an authority’s key is not on the hosts', async () => {
    const session = await withCertificates();
    session.fakes.get('cp1')?.files.delete(`${PKI}/etcd/ca.key`);
    const plan = await planRenewal(session, { names: ['etcd-server'] });
    expect(plan.tasks.find(({ phase }) => phase === 'certs/renew')).toMatchObject({
      standing: 'blocked',
      reasons: ['the key of etcd-ca is not on the hosts'],
    });
    expect((await planRenewal(session, { names: ['apiserver'] })).tasks[0]?.standing).toBe('drifted');
  });

  it('is refused where there is no cluster', async () => {
    await expect(planRenewal(fakeSession(), { names: [] })).rejects.toMatchObject({ code: 'CONFLICT' });
  });
});

describe('a renewal', () => {
  it('makes new certificates for what is named, and leaves the rest', async () => {
    const session = await withCertificates();
    const before = new Map(
      [...(session.fakes.get('cp1')?.files ?? [])].map(([path, { content }]) => [path, content]),
    );
    await renew(session, ['apiserver', 'scheduler.conf']);
    const changed = [...(session.fakes.get('cp1')?.files ?? [])].filter(
      ([path, { content }]) => before.get(path)?.equals(content) !== true,
    );
    expect(changed.map(([path, { mode }]) => `${path} ${mode.toString(8)}`).sort()).toEqual([
      '/etc/kubernetes/pki/apiserver.crt 644',
      '/etc/kubernetes/pki/apiserver.key 600',
      '/etc/kubernetes/scheduler.conf 600',
    ]);
  });

  it('restarts what reads its identity once, and the API server only where what it reads slowly has expired', async () => {
    const session = await withCertificates();
    const { plan } = await renew(session, [
      'scheduler.conf',
      'etcd-server',
      'front-proxy-client',
      'admin.conf',
    ]);
    const restarts = (tasks: typeof plan.tasks) =>
      tasks.flatMap(({ changes }) =>
        changes.flatMap((one) => (one.kind === 'action' ? [one.params?.program] : [])),
      );
    expect(restarts(plan.tasks)).toEqual(['kube-scheduler']);
    const later = Date.now() + 400 * 86_400_000;
    const context = { ...session.context, now: () => later };
    const run = renewal({ names: new Set(['front-proxy-client']), kubelets: () => null, repair: true });
    const late = await makePlan({ ...session, context }, { phases: run.phases.slice(0, 1) });
    expect(restarts(late.tasks)).toEqual(['kube-apiserver']);
    expect(late.tasks[0]?.reasons[0]).toContain('expired on');
  });

  it('signs etcd’s certificates on hosts of role etcd with the key that is there', async () => {
    const session = await withCertificates(clusterWithEtcd());
    const path = `${PKI}/etcd/peer.crt`;
    const old = textOn(session, 'etcd2', path);
    await renew(session, ['etcd-peer', 'apiserver-etcd-client']);
    const [info] = inspectBundle(textOn(session, 'etcd2', path), path);
    const [ca] = inspectBundle(textOn(session, 'etcd1', `${PKI}/etcd/ca.crt`), 'ca');
    expect(info.x509.verify(ca.x509.publicKey)).toBe(true);
    expect(textOn(session, 'etcd2', path)).not.toBe(old);
    const [client] = inspectBundle(textOn(session, 'cp1', `${PKI}/apiserver-etcd-client.crt`), 'client');
    expect(client.x509.verify(ca.x509.publicKey)).toBe(true);
  });
});

describe('withFreshUsers', () => {
  it('brings a renewed identity into a kubeconfig that holds an older one, whatever it is called there', async () => {
    const session = await withCertificates();
    const path = '/etc/kubernetes/admin.conf';
    const old = textOn(session, 'cp1', path);
    const { run } = await renew(session, ['admin.conf']);
    const identities = run.identities().map(({ content }) => content);
    const local = `# mine\n${renamedKubeconfig(old, 'demo')}`;
    const after = withFreshUsers(local, identities);
    expect(after).toMatch(/^# mine/);
    expect(readKubeconfig(after, 'local')).toMatchObject({
      userName: 'demo-admin',
      certPem: readKubeconfig(textOn(session, 'cp1', path), path).certPem,
    });
    expect(withFreshUsers(after, identities)).toBe(after);
  });

  it('leaves users of other clusters alone', async () => {
    const session = await withCertificates();
    const other = textOn(await withCertificates(), 'cp1', '/etc/kubernetes/admin.conf');
    const { run } = await renew(session, ['admin.conf']);
    const identities = run.identities().map(({ content }) => content);
    expect(withFreshUsers(other, identities)).toBe(other);
    expect(withFreshUsers('not: a kubeconfig\n', identities)).toBe('not: a kubeconfig\n');
  });
});

describe('withFreshTrust', () => {
  it('follows an authority that is replaced, and leaves other clusters alone', async () => {
    const path = '/etc/kubernetes/admin.conf';
    const [session, elsewhere] = [await withCertificates(), await withCertificates()];
    const ca = textOn(session, 'cp1', `${PKI}/ca.crt`);
    const fresh = textOn(elsewhere, 'cp1', `${PKI}/ca.crt`);
    const local = `# mine\n${textOn(session, 'cp1', path)}`;
    const both = withFreshTrust(local, [ca, fresh], ca + fresh);
    expect(both).toMatch(/^# mine/);
    expect(readKubeconfig(both, 'local').caPem).toBe(ca + fresh);
    expect(withFreshTrust(both, [ca, fresh], fresh + ca)).toBe(both);
    expect(readKubeconfig(withFreshTrust(both, [ca, fresh], fresh), 'local').caPem).toBe(fresh);
    const other = textOn(await withCertificates(), 'cp1', path);
    expect(withFreshTrust(other, [ca, fresh], fresh)).toBe(other);
  });

  it('knows an identity that either of two authorities has signed', async () => {
    const path = '/etc/kubernetes/admin.conf';
    const [session, elsewhere] = [await withCertificates(), await withCertificates()];
    const [old, fresh] = [session, elsewhere].map((one) => textOn(one, 'cp1', path));
    const ca = textOn(session, 'cp1', `${PKI}/ca.crt`);
    expect(withFreshUsers(old ?? '', [fresh ?? ''])).toBe(old);
    const after = withFreshUsers(old ?? '', [fresh ?? ''], [ca]);
    expect(readKubeconfig(after, 'local').certPem).toBe(readKubeconfig(fresh ?? '', path).certPem);
  });
});
