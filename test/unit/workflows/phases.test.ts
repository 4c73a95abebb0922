import { describe, expect, it } from 'vitest';
import { APPLY_PHASES } from '../../../src/phases/phases.js';
import { initCluster, joinHosts } from '../../../src/workflows/init.js';
import { planPhases, runPhases } from '../../../src/workflows/phase-run.js';
import { joinPhases, listPhases, phasesNamed } from '../../../src/workflows/phase-selection.js';
import { clusterOfThree, fakeSession } from './fixture.js';

const names = (phases: readonly { name: string }[]) => phases.map(({ name }) => name);

describe('phases', () => {
  it('have names in kebab-case, each once', () => {
    expect(new Set(names(APPLY_PHASES)).size).toBe(APPLY_PHASES.length);
    for (const name of names(APPLY_PHASES)) expect(name).toMatch(/^[a-z]+(-[a-z]+)*(\/[a-z]+(-[a-z]+)*)?$/);
  });

  it('stand behind those that provide what they need', () => {
    const provided = new Set<string>();
    const all = new Set(APPLY_PHASES.flatMap((phase) => names(phase.provides)));
    for (const phase of APPLY_PHASES) {
      for (const need of names(phase.needs)) {
        expect(all, `${phase.name} needs ${need}`).toContain(need);
        expect(provided, `${phase.name} needs ${need}`).toContain(need);
      }
      for (const artefact of names(phase.provides)) provided.add(artefact);
    }
  });

  it('are found by name or by group', () => {
    expect(names(phasesNamed('certs/apiserver'))).toEqual(['certs/apiserver']);
    expect(names(phasesNamed('control-plane'))).toEqual([
      'control-plane/apiserver',
      'control-plane/controller-manager',
      'control-plane/scheduler',
    ]);
    expect(names(phasesNamed('certs/all'))).toEqual(names(phasesNamed('certs')));
    expect(() => phasesNamed('cert')).toThrow(
      expect.objectContaining({ code: 'USAGE', message: expect.stringContaining('`certs`') }),
    );
  });

  it('are listed with preflight before all others', () => {
    expect(names(listPhases())).toEqual(['preflight', ...names(APPLY_PHASES)]);
    expect(listPhases().find(({ name }) => name === 'join/worker')).toMatchObject({
      target: 'workers',
      needs: expect.arrayContaining(['api', 'runtime']),
      provides: ['nodes'],
    });
  });

  it('of a join are those of hosts, nodes and members, and none that alters what is the cluster’s', () => {
    const selected = names(joinPhases());
    expect(selected).toEqual(
      expect.arrayContaining(['host/prepare', 'join/worker', 'mark-control-plane', 'wait-ready']),
    );
    expect(selected).toContain('etcd/join');
    for (const name of ['upload-config', 'addon/coredns', 'addon/kube-proxy', 'network/flannel'])
      expect(selected).not.toContain(name);
  });
});

describe('one phase alone', () => {
  it('makes only its own files, on only the hosts named', async () => {
    const session = fakeSession(clusterOfThree());
    const phases = phasesNamed('certs/ca');
    const result = await runPhases(session, { phases, hosts: ['cp1'], owner: 'me' });
    expect(result.plan.tasks.map(({ phase, host }) => `${phase}@${host}`)).toEqual(['certs/ca@cp1']);
    expect([...(session.fakes.get('cp1')?.files.keys() ?? [])].sort()).toEqual([
      '/etc/kubernetes/pki/ca.crt',
      '/etc/kubernetes/pki/ca.key',
    ]);
    const onOther = session.fakes.get('cp2')?.mutations() ?? [];
    expect(onOther.filter(({ what }) => !what.startsWith('<lock/'))).toEqual([]);
  });

  it('refuses to sign with a CA that nobody keeps', async () => {
    const session = fakeSession();
    const alone = { phases: phasesNamed('certs/apiserver'), owner: 'me' };
    await expect(runPhases(session, alone)).rejects.toMatchObject({
      code: 'CONFLICT',
      hint: 'run keelson phase run certs/ca first',
    });
    expect(session.fakes.get('cp1')?.mutations()).toEqual([]);
    await runPhases(session, { phases: phasesNamed('certs/ca'), owner: 'me' });
    await runPhases(session, alone);
    expect([...(session.fakes.get('cp1')?.files.keys() ?? [])].sort()).toEqual([
      '/etc/kubernetes/pki/apiserver.crt',
      '/etc/kubernetes/pki/apiserver.key',
      '/etc/kubernetes/pki/ca.crt',
      '/etc/kubernetes/pki/ca.key',
    ]);
  });

  it('is planned without a change', async () => {
    const session = fakeSession();
    const plan = await planPhases(session, { phases: phasesNamed('certs') });
    expect(plan.tasks.every((task) => task.standing === 'missing')).toBe(true);
    expect(session.fakes.get('cp1')?.mutations()).toEqual([]);
  });

  it('refuses a phase that works through an API which is not there', async () => {
    await expect(
      runPhases(fakeSession(), { phases: phasesNamed('addon/coredns'), owner: 'me' }),
    ).rejects.toMatchObject({ code: 'CONFLICT', message: expect.stringContaining('no running API') });
  });
});

describe('init and join', () => {
  it('join refuses where no API runs, and for the first control plane', async () => {
    const options = { owner: 'me', preflight: false };
    await expect(joinHosts(fakeSession(), { ...options, hosts: ['w1'] })).rejects.toMatchObject({
      code: 'CONFLICT',
      hint: expect.stringContaining('keelson init'),
    });
    await expect(joinHosts(fakeSession(), { ...options, hosts: ['cp1'] })).rejects.toMatchObject({
      code: 'USAGE',
    });
  });

  it('init leaves workers alone', async () => {
    const session = fakeSession();
    const stop = AbortSignal.abort();
    await expect(initCluster(session, { owner: 'me', preflight: false, stop })).rejects.toMatchObject({
      code: 'ABORTED',
    });
    const touched = session.events.flatMap((event) => (event.type === 'task-planned' ? [event.host] : []));
    expect(new Set(touched)).toEqual(new Set(['cp1', '']));
    expect(session.fakes.get('w1')?.calls).toEqual([]);
  });
});
