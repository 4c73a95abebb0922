import { describe, expect, it } from 'vitest';
import type { ClusterConfig } from '../../../../src/config/types.js';
import type { Change, FileChange } from '../../../../src/engine/types.js';
import { describeChange } from '../../../../src/report/describe.js';
import { runPhases } from '../../../../src/workflows/phase-run.js';
import { phasesNamed } from '../../../../src/workflows/phase-selection.js';
import { makePlan } from '../../../../src/workflows/plan.js';
import { renderTrees } from '../../../../src/workflows/render.js';
import { CLUSTER, KUBEADM, parse, stream } from '../../config/support.js';
import { type FakeSession, fakeSession } from '../../workflows/fixture.js';

const FAST = `${KUBEADM}encryptionAlgorithm: ECDSA-P256\n`;

const withEndpoint = (endpoint: string | null): ClusterConfig =>
  parse(stream(endpoint === null ? CLUSTER : `${CLUSTER}  endpoint: ${endpoint}\n`, FAST));

const VIRTUAL = '{provider: keepalived-haproxy, address: 10.0.0.9}';
const LOCAL = '{provider: node-local}';

async function changesOf(session: FakeSession, phase: string, host: string): Promise<readonly Change[]> {
  const { tasks } = await makePlan(session);
  return tasks.find((task) => task.phase === phase && task.host === host)?.changes ?? [];
}

const lines = (changes: readonly Change[]) => changes.map(describeChange);

/** The session's hosts under another configuration. */
function moved(session: FakeSession, config: ClusterConfig): FakeSession {
  const fresh = fakeSession(config);
  const effects = { ...fresh.effects, host: session.effects.host };
  return { ...fresh, effects, readers: session.readers, hosts: session.hosts };
}

describe('a plan with an endpoint', () => {
  it('installs, validates, puts in place and starts, in this order', async () => {
    const session = fakeSession(withEndpoint(VIRTUAL));
    expect(lines(await changesOf(session, 'endpoint/haproxy', 'cp1'))).toEqual([
      '+ package haproxy',
      "! let the host's own program validate the new /etc/haproxy/keelson.cfg",
      '+ file /usr/lib/systemd/system/keelson-haproxy.service 0644',
      '+ file /etc/haproxy/keelson.cfg 0644',
      '! service daemon-reload',
      '! service enable keelson-haproxy.service',
      '! service start keelson-haproxy.service',
    ]);
    expect(lines(await changesOf(session, 'endpoint/keepalived', 'cp1'))).toEqual([
      '+ package keepalived',
      '+ file /usr/lib/systemd/system/keelson-keepalived.service 0644',
      '+ file /usr/libexec/keepalived/keelson-check 0755',
      "! let the host's own program validate the new /etc/keepalived/keelson.conf",
      '+ file /etc/keepalived/keelson.conf 0644',
      '! service daemon-reload',
      '! service enable keelson-keepalived.service',
      '! service start keelson-keepalived.service',
    ]);
    expect(await changesOf(session, 'endpoint/haproxy', 'w1')).toEqual([]);
  });

  it.each([VIRTUAL, LOCAL])('brings just the files that render writes: %s', async (endpoint) => {
    const config = withEndpoint(endpoint);
    const { tasks } = await makePlan(fakeSession(config));
    for (const [host, tree] of await renderTrees(config)) {
      const planned = tasks
        .filter((task) => task.host === host && task.phase.startsWith('endpoint/'))
        .flatMap((task) => task.changes)
        .filter((change): change is FileChange => change.kind === 'file');
      const rendered = [...tree.keys()].filter((path) => /keelson/.test(path));
      expect(planned.map(({ path }) => path).sort(), host).toEqual(rendered);
      for (const { path, content } of planned)
        expect(content).toEqual({ kind: 'text', text: tree.get(path)?.content.toString() });
    }
  });

  it('reloads HAProxy, and does not restart it, when the control planes change', async () => {
    const session = fakeSession(withEndpoint(LOCAL));
    const host = session.fakes.get('w1');
    for (const change of await changesOf(session, 'endpoint/haproxy', 'w1')) {
      if (change.kind === 'file' && change.content?.kind === 'text')
        await host?.put([
          { path: change.path, content: Buffer.from(change.content.text), mode: change.mode },
        ]);
    }
    await host?.put([{ path: '/usr/sbin/haproxy', content: Buffer.from(''), mode: 0o755 }]);
    host?.units.set('keelson-haproxy.service', {
      unit: 'keelson-haproxy.service',
      load: 'loaded',
      active: 'active',
      sub: 'running',
      enabled: 'enabled',
    });
    expect(await changesOf(session, 'endpoint/haproxy', 'w1')).toEqual([]);
    const grown = parse(
      stream(
        `${CLUSTER}    - {name: cp2, role: control-plane, address: 10.0.0.3}\n  endpoint: ${LOCAL}\n`,
        FAST,
      ),
    );
    const changes = lines(await changesOf(moved(session, grown), 'endpoint/haproxy', 'w1'));
    expect(changes).toEqual([
      "! let the host's own program validate the new /etc/haproxy/keelson.cfg",
      '~ file /etc/haproxy/keelson.cfg 0644',
      '! service reload keelson-haproxy.service',
    ]);
    const gone = moved(session, withEndpoint(null));
    expect(lines(await changesOf(gone, 'endpoint/retire', 'w1'))).toEqual([
      '! service stop keelson-haproxy.service [disrupts]',
      '! service disable keelson-haproxy.service',
      '- file /usr/lib/systemd/system/keelson-haproxy.service 0644',
      '- file /etc/haproxy/keelson.cfg 0644',
      '! service daemon-reload',
    ]);
  });

  it('moves a cluster without one: certificate and admin’s kubeconfigs of the control plane, kubelet.conf of the worker', async () => {
    const session = fakeSession(withEndpoint(null));
    const phases = [...phasesNamed('certs'), ...phasesNamed('kubeconfig')];
    await runPhases(session, { phases, owner: 'me' });
    const conf = session.fakes.get('cp1')?.files.get('/etc/kubernetes/kubelet.conf')?.content;
    await session.fakes
      .get('w1')
      ?.put([{ path: '/etc/kubernetes/kubelet.conf', content: conf ?? Buffer.from(''), mode: 0o600 }]);
    const later = moved(session, withEndpoint(VIRTUAL));
    const { tasks } = await makePlan(later);
    const changed = tasks
      .filter((task) => /^(certs|kubeconfig)\//.test(task.phase) && task.changes.length > 0)
      .map((task) => `${task.phase} ${task.reasons[0]}`);
    expect(changed).toEqual([
      'certs/apiserver is not valid for 10.0.0.9',
      'kubeconfig/admin /etc/kubernetes/admin.conf points to https://10.0.0.1:6443 instead of https://10.0.0.9:8443',
      'kubeconfig/super-admin /etc/kubernetes/super-admin.conf points to https://10.0.0.1:6443 instead of https://10.0.0.9:8443',
    ]);
    expect(lines(await changesOf(later, 'endpoint/kubelets', 'w1'))).toEqual([
      '! point /etc/kubernetes/kubelet.conf to https://10.0.0.9:8443 instead of https://10.0.0.1:6443 and restart the kubelet; pods go on',
    ]);
    await runPhases(later, { phases, owner: 'me' });
    const admin = session.fakes.get('cp1')?.files.get('/etc/kubernetes/admin.conf')?.content.toString();
    expect(admin).toContain('server: https://10.0.0.9:8443');
    expect(await changesOf(moved(session, withEndpoint(VIRTUAL)), 'kubeconfig/admin', 'cp1')).toEqual([]);
  });
});
