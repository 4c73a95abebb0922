import { describe, expect, it } from 'vitest';
import type { FileChange } from '../../../src/engine/types.js';
import { runPhases } from '../../../src/workflows/phase-run.js';
import { phasesNamed } from '../../../src/workflows/phase-selection.js';
import { changesIn, makePlan, silentApi } from '../../../src/workflows/plan.js';
import { renderTrees } from '../../../src/workflows/render.js';
import { newState } from '../../../src/workflows/rotate/state.js';
import { ROTATION_STATE } from '../../../src/workflows/rotate/store.js';
import { clusterOfThree, clusterWithEtcd, fakeSession } from './fixture.js';

/** What apply brings onto a host by other means than a file of its plan. */
const MEMBER = ['/etc/kubernetes/manifests/etcd.yaml'];
const NOT_PLANNED = new Map([
  ['cp2', MEMBER], // by etcd/join, which knows the members by then
  ['etcd1', MEMBER], // by etcd/member, likewise
  ['etcd2', MEMBER],
  ['etcd3', MEMBER],
]);

describe('a plan', () => {
  it.each([
    ['a cluster of three', clusterOfThree(), ['cp1', 'cp2', 'w1']],
    ['one with hosts of role etcd', clusterWithEtcd(), ['cp1', 'w1', 'etcd1', 'etcd2', 'etcd3']],
  ])('brings onto the fresh hosts of %s just the files that render writes', async (_, config, names) => {
    const { tasks } = await makePlan(fakeSession(config));
    const trees = await renderTrees(config);
    expect([...trees.keys()]).toEqual(names);
    for (const [host, tree] of trees) {
      const planned = tasks
        .filter((task) => task.host === host)
        .flatMap((task) => task.changes)
        .filter((change): change is FileChange => change.kind === 'file' && change.content?.kind !== 'blob');
      const exceptions = NOT_PLANNED.get(host) ?? [];
      const rendered = [...tree].filter(([path]) => !exceptions.includes(path));
      const lines = (files: { path: string; mode: number }[]) =>
        files.map(({ path, mode }) => `${mode.toString(8)} ${path}`).sort();
      expect(lines(planned), host).toEqual(lines(rendered.map(([path, { mode }]) => ({ path, mode }))));
      for (const { path, content } of planned)
        if (content?.kind === 'text' && !path.startsWith('/etc/kubernetes/manifests/'))
          expect(content.text, path).toBe(tree.get(path)?.content.toString());
    }
  });

  it('holds no secret and survives JSON', async () => {
    const plan = await makePlan(fakeSession());
    const text = JSON.stringify(plan);
    expect(text).not.toContain('PRIVATE KEY');
    expect(JSON.parse(text)).toEqual(plan);
    expect(changesIn(plan)).toBeGreaterThan(30);
  });

  it('changes nothing on any host', async () => {
    const session = fakeSession();
    await makePlan(session);
    for (const host of session.fakes.values()) expect(host.mutations()).toEqual([]);
  });

  it('for a worker alone knows the CA of the first control plane', async () => {
    const session = fakeSession();
    await runPhases(session, { phases: phasesNamed('certs'), owner: 'me' });
    const fresh = { ...fakeSession(), readers: session.readers };
    const { tasks } = await makePlan(fresh, { hosts: ['w1'] });
    expect(new Set(tasks.map((task) => task.host))).toEqual(new Set(['', 'w1']));
    expect(fresh.context.trust.caCertificate()).toBe(
      session.fakes.get('cp1')?.files.get('/etc/kubernetes/pki/ca.crt')?.content.toString(),
    );
  });

  it('is refused while any control plane knows of a rotation, read along with everything else', async () => {
    const session = fakeSession(clusterOfThree());
    const since = '2026-01-01T00:00:00Z';
    const state = newState({ id: 'r1', what: 'sa', queued: [], restartWorkloads: 'none', since });
    const cp2 = session.fakes.get('cp2');
    cp2?.files.set(ROTATION_STATE, {
      content: Buffer.from(JSON.stringify(state)),
      mode: 0o600,
      owner: 'root:root',
      type: 'file',
    });
    await expect(makePlan(session)).rejects.toThrow(`the rotation of sa is under way since ${since}`);
    for (const host of session.fakes.values())
      expect(host.calls.filter(({ kind }) => kind === 'read')).toHaveLength(1);
  });

  it('says why objects are shown as missing where the API of a cluster that is there does not answer', async () => {
    const fresh = fakeSession();
    const plan = await makePlan(fresh);
    expect(silentApi(fresh, plan)).toBeNull();
    const admin = { ca: '', cert: '', key: '' };
    const trust = { ...fresh.context.trust, admin: () => admin };
    const standing = { ...fresh, context: { ...fresh.context, trust } } as unknown as typeof fresh;
    expect(silentApi(standing, plan)).toBe('there are no admin credentials yet');
    expect(silentApi(standing, { ...plan, tasks: [] })).toBeNull();
  });
});
