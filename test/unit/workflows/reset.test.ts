import { describe, expect, it } from 'vitest';
import { CONTAINERD_UNIT_FILE, CONTAINERD_UNIT_PATH } from '../../../src/manifests/containerd.js';
import { MODULES_FILE, modulesLoadFile } from '../../../src/manifests/host-files.js';
import { KUBELET_UNIT_PATH } from '../../../src/manifests/kubelet.js';
import { hostsToReset, planReset, resetCluster } from '../../../src/workflows/reset.js';
import type { FakeHost } from '../../fakes/fake-host.js';
import { cluster, clusterOfThree, clusterWithEtcd, type FakeSession, fakeSession } from './fixture.js';

const CRICTL = '/etc/crictl.yaml';

/** A probe of that name, of whichever phase. */
const probe = (name: string) => new RegExp(`\\u0001${name}$`);

/** Makes a host look installed: probes say so until the script that cures it has run. */
function installed(host: FakeHost): void {
  const unit = { load: 'loaded', active: 'active', sub: 'running', enabled: 'enabled' };
  for (const name of ['kubelet.service', 'containerd.service']) host.units.set(name, { unit: name, ...unit });
  const put = (path: string, text: string) =>
    void host.files.set(path, { content: Buffer.from(text), mode: 0o644, owner: 'root:root', type: 'file' });
  put(CONTAINERD_UNIT_PATH, CONTAINERD_UNIT_FILE);
  put(MODULES_FILE, modulesLoadFile());
  put(CRICTL, 'not written yet');
  put(KUBELET_UNIT_PATH, "a package's own unit");
  put('/usr/bin/kubelet', 'binary');
  const cured = new Set<string>();
  for (const script of ['pods', 'network', 'erase', 'forget', 'restore-settings']) {
    host.on(new RegExp(`^<reset/${script}>`), () => {
      cured.add(script);
      return {};
    });
  }
  const until = (script: string, stdout: string) => () => ({ stdout: cured.has(script) ? '' : stdout });
  host.on(probe('pods'), until('pods', '12 3 9 1 40\n'));
  host.on(
    probe('network'),
    until('network', 'interface cni0\ninterface flannel.1\nchains iptables-nft 46\n'),
  );
  host.on(probe('leftovers'), until('erase', 'dir /etc/kubernetes\ndir /var/lib/containerd\n'));
  host.on(probe('state'), until('forget', '2'));
  host.on(probe('settings'), until('restore-settings', 'net.ipv4.ip_forward=0=1\n'));
  host.on(probe('journal'), {
    stdout: `"file":"${MODULES_FILE}","op":"update"\n"file":"${CRICTL}","op":"update"\n"file":"/usr/bin/kubelet","op":"create","sha256":"${'a'.repeat(64)}"\n`,
  });
  host.on(probe('digests'), () => ({
    stdout: host.files.has('/usr/bin/kubelet') ? `${'a'.repeat(64)}  /usr/bin/kubelet\n` : '',
  }));
}

const hostOf = (session: FakeSession, name: string): FakeHost => {
  const host = session.fakes.get(name);
  if (host === undefined) throw new Error(`no host ${name}`);
  return host;
};

const mutations = (host: FakeHost) =>
  host
    .mutations()
    .filter((call) => !call.what.startsWith('<lock/'))
    .map((call) => call.what);

describe('hostsToReset', () => {
  it('is all hosts, or those that are named, in the order of the file', () => {
    expect(hostsToReset(cluster(), { hosts: [] })).toEqual(['cp1', 'w1']);
    expect(hostsToReset(clusterOfThree(), { hosts: ['cp2', 'cp1'] })).toEqual(['cp1', 'cp2']);
  });

  it('refuses hosts of role etcd while anything lives on them, and takes them with all of it', () => {
    const config = clusterWithEtcd();
    for (const hosts of [['etcd1'], ['etcd1', 'etcd2', 'etcd3'], ['etcd1', 'cp1']]) {
      expect(() => hostsToReset(config, { hosts })).toThrow(
        expect.objectContaining({ code: 'CONFLICT', message: expect.stringContaining('etcd1') }),
      );
    }
    expect(hostsToReset(config, { hosts: ['etcd1', 'etcd2', 'etcd3', 'cp1'] })).toHaveLength(4);
    expect(hostsToReset(config, { hosts: ['w1'] })).toEqual(['w1']);
  });

  it('refuses unknown names', () => {
    expect(() => hostsToReset(cluster(), { hosts: ['w9'] })).toThrow(
      expect.objectContaining({ code: 'USAGE' }),
    );
  });
});

describe('planReset', () => {
  it('shows what goes and changes nothing', async () => {
    const session = fakeSession();
    installed(hostOf(session, 'w1'));
    const plan = await planReset(session, { hosts: [] });
    const w1 = plan.tasks.filter((task) => task.host === 'w1').flatMap((task) => task.changes);
    expect(
      w1.map((change) =>
        'path' in change ? change.path : 'summary' in change ? change.summary : change.kind,
      ),
    ).toEqual([
      'service',
      'service',
      'remove all pods: 12 processes, 3 shims, 9 mounts, 1 network namespace, 40 control groups',
      'service',
      'service',
      'remove interfaces cni0, flannel.1; 46 rules and chains of iptables-nft',
      'remove everything in /etc/kubernetes',
      'remove everything in /var/lib/containerd',
      MODULES_FILE,
      '/usr/bin/kubelet',
      CONTAINERD_UNIT_PATH,
      'remove directories that are empty, and make systemd forget the units',
      'set back sysctl net.ipv4.ip_forward=0',
      'remove /var/lib/keelson',
    ]);
    expect(plan.tasks.filter((task) => task.host === 'cp1').flatMap((task) => task.changes)).toEqual([]);
    expect(hostOf(session, 'w1').mutations()).toEqual([]);
  });

  it('ends the connections of a load balancer before its host gives up the virtual address', async () => {
    const session = fakeSession();
    const host = hostOf(session, 'cp1');
    for (const unit of ['keelson-keepalived.service', 'keelson-haproxy.service'])
      host.units.set(unit, { unit, load: 'loaded', active: 'active', sub: 'running', enabled: 'enabled' });
    const { tasks } = await planReset(session, { hosts: ['cp1'] });
    const changes = tasks.find((task) => task.phase === 'reset/endpoint')?.changes ?? [];
    expect(changes.map((change) => (change.kind === 'service' ? `${change.op} ${change.unit}` : ''))).toEqual(
      [
        'stop keelson-haproxy.service',
        'stop keelson-keepalived.service',
        'disable keelson-haproxy.service',
        'disable keelson-keepalived.service',
      ],
    );
  });

  it('takes from a data directory of the user’s own only what is etcd’s, and only on control planes', async () => {
    const config = cluster();
    const { etcd } = config.cluster;
    const session = fakeSession({
      ...config,
      cluster: { ...config.cluster, etcd: { local: { ...etcd.local, dataDir: '/data' } } },
    });
    for (const name of ['cp1', 'w1']) {
      hostOf(session, name).on(probe('leftovers'), {
        stdout: 'dir /etc/kubernetes\ndir /data\ndir /data/member\n',
      });
    }
    const plan = await planReset(session, { hosts: [] });
    const erased = (host: string) =>
      plan.tasks
        .filter((task) => task.host === host)
        .flatMap((task) => task.changes)
        .flatMap((change) =>
          change.kind === 'action' && change.name === 'erase' ? [change.params?.path] : [],
        );
    expect(erased('cp1')).toEqual(['/etc/kubernetes', '/data/member']);
    expect(erased('w1')).toEqual(['/etc/kubernetes']);
  });

  it('says where something was there before keelson and does not come back', async () => {
    const session = fakeSession();
    installed(hostOf(session, 'w1'));
    const { tasks } = await planReset(session, { hosts: ['w1'] });
    const change = tasks
      .flatMap((task) => task.changes)
      .find((one) => 'path' in one && one.path === MODULES_FILE);
    expect(change).toMatchObject({ destroys: true, reason: expect.stringContaining('does not come back') });
  });

  it("leaves another's containerd running and its directories alone", async () => {
    const session = fakeSession();
    const host = hostOf(session, 'w1');
    installed(host);
    host.files.delete(CONTAINERD_UNIT_PATH);
    const { tasks } = await planReset(session, { hosts: ['w1'] });
    const text = JSON.stringify(tasks.flatMap((task) => task.changes));
    expect(text).not.toContain('containerd.service');
    expect(text).not.toContain('/var/lib/containerd');
    expect(text).toContain('/etc/kubernetes');
  });
});

describe('resetCluster', () => {
  it('stops the kubelet, then removes pods, runtime, network, files and its own state, in this order', async () => {
    const session = fakeSession();
    installed(hostOf(session, 'w1'));
    const result = await resetCluster(session, { hosts: [], owner: 'me' });
    expect(result.changed).toBe(14);
    const done = mutations(hostOf(session, 'w1'));
    expect(done.slice(0, 3)).toEqual(['stop kubelet.service', 'disable kubelet.service', '<reset/pods>']);
    expect(done.slice(3, 6).sort()).toEqual([
      '<reset/network> 10.244.0.0/16',
      'disable containerd.service',
      'stop containerd.service',
    ]);
    expect(done.slice(6)).toEqual([
      '<reset/erase> /etc/kubernetes',
      '<reset/erase> /var/lib/containerd',
      `${MODULES_FILE} /usr/bin/kubelet ${CONTAINERD_UNIT_PATH}`,
      '<reset/prune>',
      '<reset/restore-settings> net.ipv4.ip_forward=0',
      '<reset/forget>',
    ]);
    const { files } = hostOf(session, 'w1');
    expect([files.has(KUBELET_UNIT_PATH), files.has(CRICTL), files.has(MODULES_FILE)]).toEqual([
      true,
      true,
      false,
    ]);
  });

  it('does nothing the second time', async () => {
    const session = fakeSession();
    installed(hostOf(session, 'w1'));
    await resetCluster(session, { hosts: [], owner: 'me' });
    expect(await resetCluster(session, { hosts: [], owner: 'me' })).toMatchObject({ changed: 0 });
  });

  it('gives the lock back before its directory goes', async () => {
    const session = fakeSession();
    await resetCluster(session, { hosts: [], owner: 'me' });
    const scripts = hostOf(session, 'cp1')
      .mutations()
      .map((call) => call.what.split(' ')[0]);
    expect(scripts).toEqual(['<lock/acquire>', '<lock/release>', '<reset/state-directory>']);
  });

  it('says what is left where a step did not help', async () => {
    const session = fakeSession();
    const host = hostOf(session, 'w1');
    installed(host);
    host.on(probe('pods'), { stdout: '1 0 0 0 0' });
    await expect(resetCluster(session, { hosts: [], owner: 'me' })).rejects.toMatchObject({
      code: 'CONFLICT',
      host: 'w1',
      message: expect.stringContaining('1 process'),
    });
    expect(mutations(host)).not.toContain('<reset/erase> /etc/kubernetes');
  });
});
