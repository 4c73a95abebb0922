import { beforeAll, describe, expect, it } from 'vitest';
import { KeelsonError } from '../../../../src/errors/keelson-error.js';
import { type CertAndKey, createAuthority } from '../../../../src/pki/issue.js';
import { trustBundle } from '../../../../src/pki/rotation.js';
import { withLock } from '../../../../src/workflows/lock.js';
import { makePlan } from '../../../../src/workflows/plan.js';
import type { RotationKind } from '../../../../src/workflows/rotate/kind.js';
import { type Parts, rollBack, rotate } from '../../../../src/workflows/rotate/rotate.js';
import { issuerAfter, trustAfter } from '../../../../src/workflows/rotate/run.js';
import type { Step } from '../../../../src/workflows/rotate/state.js';
import { ROTATION_DIR, readRotation } from '../../../../src/workflows/rotate/store.js';
import type { FakeHost } from '../../../fakes/fake-host.js';
import { clusterOfThree, type FakeSession, fakeSession } from '../fixture.js';

const CA = '/etc/kubernetes/pki/ca.crt';
const KEY = '/etc/kubernetes/pki/ca.key';
const LEAF = '/etc/kubernetes/pki/leaf.crt';
const OWNER = { owner: 'me' };

let old: CertAndKey;
let fresh: CertAndKey;

beforeAll(async () => {
  const spec = { commonName: 'kubernetes', algorithm: 'ECDSA-P256', validityMs: 86_400_000 } as const;
  [old, fresh] = await Promise.all([
    createAuthority(spec, { now: new Date() }),
    createAuthority(spec, { now: new Date() }),
  ]);
});

/** A CA on every host, and one leaf that names who issued it. */
const kind: RotationKind = {
  name: 'cluster-ca',
  title: 'the CA',
  does: {},
  consequences: [],
  surveyed: false,
  refusal: () => null,
  leftovers: () => ['/etc/kubernetes/pki/leftover.crt'],
  create: async () => fresh,
  present: (_config, files) => {
    const [certPem, keyPem] = [CA, KEY].map((path) => files.get(path)?.toString());
    return certPem === undefined || keyPem === undefined ? null : { certPem, keyPem };
  },
  hosts: () => ['cp1', 'cp2', 'w1'],
  work: async (run, _host, step) => {
    const trust = trustAfter(run.pairs, step);
    return {
      files: [
        { path: CA, content: Buffer.from(trustBundle(trust)), mode: 0o644 },
        { path: LEAF, content: Buffer.from(issuerAfter(step)), mode: 0o644 },
      ],
      pods: [],
      kubelet: false,
    };
  },
  settled: async () => undefined,
  objects: async () => undefined,
};

const parts = (more: Partial<RotationKind> = {}): Parts => ({
  kindOf: () => ({ ...kind, ...more }),
  gate: async () => undefined,
});

/** Three hosts with the old CA; what scripts of the rotation do to files is done. */
function session(): FakeSession {
  const made = fakeSession(clusterOfThree());
  for (const host of made.fakes.values()) {
    put(host, CA, trustBundle({ issuer: old, also: [] }));
    put(host, KEY, old.keyPem);
    put(host, LEAF, 'old');
    host.on(/^<rotate\/mark> /, (command) => {
      const path = `${ROTATION_DIR}/reached`;
      const before = host.files.get(path)?.content.toString() ?? '';
      put(host, path, `${before}${command.slice('<rotate/mark> '.length)}\n`);
      return {};
    });
    host.on(/^<rotate\/forget>/, (command) => {
      const kept = command.endsWith(' state') ? `${ROTATION_DIR}/state.json` : '';
      for (const path of host.files.keys())
        if (path.startsWith(ROTATION_DIR) && path !== kept) host.files.delete(path);
      return {};
    });
  }
  return made;
}

function put(host: FakeHost, path: string, text: string): void {
  host.files.set(path, { content: Buffer.from(text), mode: 0o600, owner: 'root:root', type: 'file' });
}

/** What each host trusts, who issued its leaf, and what lies there about a rotation. */
function standing({ fakes }: FakeSession) {
  const names = new Map([
    [trustBundle({ issuer: old, also: [] }), 'old'],
    [trustBundle({ issuer: fresh, also: [] }), 'new'],
    [trustBundle({ issuer: old, also: [fresh] }), 'old and new'],
    [trustBundle({ issuer: fresh, also: [old] }), 'new and old'],
  ]);
  return [...fakes].map(([name, { files }]) => ({
    name,
    trusts: names.get(files.get(CA)?.content.toString() ?? ''),
    leaf: files.get(LEAF)?.content.toString(),
    left: [...files.keys()].filter((path) => path.startsWith(ROTATION_DIR)),
  }));
}

const all = (trusts: string, leaf: string) =>
  ['cp1', 'cp2', 'w1'].map((name) => ({ name, trusts, leaf, left: [] as string[] }));

describe('a rotation', () => {
  it('leaves every host with the new one alone, and nothing about itself', async () => {
    const made = session();
    const result = await rotate(made, ['cluster-ca'], OWNER, parts());
    expect(result).toMatchObject({ rotated: ['cluster-ca'], state: null });
    expect(standing(made)).toEqual(all('new', 'fresh'));
  });

  it('never has a host that uses what another one does not trust', async () => {
    const made = session();
    const seen: Step[] = [];
    const watching = parts({
      settled: async (_run, _host, step) => {
        seen.push(step);
        const now = standing(made);
        for (const { leaf } of now)
          for (const { trusts } of now)
            expect(trusts?.split(' and '), step).toContain(leaf === 'old' ? 'old' : 'new');
      },
    });
    await rotate(made, ['cluster-ca'], OWNER, watching);
    expect(new Set(seen)).toEqual(new Set(['trust', 'issue', 'verify', 'drop']));
  });

  it('ends after the step that was asked for, and goes on from there', async () => {
    const made = session();
    const { state } = await rotate(made, ['cluster-ca'], { ...OWNER, until: 'trust' }, parts());
    expect(state?.done).toEqual(['trust']);
    expect(standing(made).map(({ trusts, leaf }) => `${trusts}: ${leaf}`)).toEqual(
      Array(3).fill('old and new: old'),
    );
    await rotate(made, ['cluster-ca'], OWNER, parts());
    expect(standing(made)).toEqual(all('new', 'fresh'));
  });

  it('is refused with an end that never comes', async () => {
    const made = session();
    await expect(rotate(made, ['etcd-ca'], { ...OWNER, until: 'restart' }, parts())).rejects.toMatchObject({
      code: 'USAGE',
    });
    expect(standing(made)).toEqual(all('old', 'old'));
  });

  it('goes on wherever it was broken off', async () => {
    const counting = session();
    await rotate(counting, ['cluster-ca'], OWNER, parts());
    const calls = new Map([...counting.fakes].map(([name, host]) => [name, host.calls.length]));
    let broken = 0;
    for (const [name, count] of calls) {
      for (let nth = 1; nth <= count; nth += 1) {
        const made = session();
        made.fakes.get(name)?.failAt(nth, new KeelsonError('CONNECTION', 'cut'));
        const first = await rotate(made, ['cluster-ca'], OWNER, parts()).catch(() => null);
        if (first !== null) continue;
        broken += 1;
        await rotate(made, ['cluster-ca'], OWNER, parts());
        expect(standing(made), `${name}, call ${nth}`).toEqual(all('new', 'fresh'));
      }
    }
    expect(broken).toBeGreaterThan(30);
  });

  it.each(['trust', 'restart', 'issue', 'verify'] as const)('is taken back after %s', async (until) => {
    const made = session();
    await rotate(made, ['cluster-ca'], { ...OWNER, until }, parts());
    await rollBack(made, OWNER, parts());
    expect(standing(made)).toEqual(all('old', 'old'));
  });

  it('is taken back from wherever it was broken off before the drop, also when that is broken off', async () => {
    for (let nth = 1; nth < 400; nth += 1) {
      const made = session();
      made.fakes.get('cp2')?.failAt(nth, new KeelsonError('CONNECTION', 'cut'));
      const first = await rotate(made, ['cluster-ca'], { ...OWNER, until: 'verify' }, parts()).catch(
        () => null,
      );
      if (first !== null) break;
      const left = await readRotation(made);
      if (left === null) continue;
      made.fakes.get('cp1')?.failAt(1 + (nth % 17), new KeelsonError('CONNECTION', 'cut'));
      const back = await rollBack(made, OWNER, parts()).catch(() => null);
      if (back === null && (await readRotation(made)) !== null) await rollBack(made, OWNER, parts());
      expect(standing(made), `call ${nth}`).toEqual(all('old', 'old'));
    }
  });

  it('is not taken back once the drop has begun', async () => {
    const made = session();
    const failing = parts({
      settled: async (_run, _host, step) => {
        if (step === 'drop') throw new KeelsonError('DEADLINE', 'late');
      },
    });
    await expect(rotate(made, ['cluster-ca'], OWNER, failing)).rejects.toThrow('late');
    await expect(rollBack(made, OWNER, parts())).rejects.toThrow(/no way back/);
    await rotate(made, ['cluster-ca'], OWNER, parts());
    expect(standing(made)).toEqual(all('new', 'fresh'));
  });

  it('does not go on while it is being rolled back', async () => {
    const made = session();
    await rotate(made, ['cluster-ca'], { ...OWNER, until: 'issue' }, parts());
    const failing = parts({
      settled: async () => {
        throw new KeelsonError('DEADLINE', 'late');
      },
    });
    await expect(rollBack(made, OWNER, failing)).rejects.toThrow('late');
    await expect(rotate(made, ['cluster-ca'], OWNER, parts())).rejects.toThrow(/being rolled back/);
  });

  it('drops nothing where something is still of the old one', async () => {
    const made = session();
    const meddling = parts({
      settled: async (_run, host, step) => {
        const w1 = made.fakes.get('w1');
        if (step === 'issue' && host === 'w1' && w1 !== undefined) put(w1, LEAF, 'old');
      },
    });
    await expect(rotate(made, ['cluster-ca'], OWNER, meddling)).rejects.toMatchObject({
      code: 'VERIFY',
      message: expect.stringContaining(`${LEAF} on w1`),
    });
    expect(standing(made)[0]?.trusts).toBe('new and old');
  });

  it('does not begin where something is wrong, or the key is kept elsewhere', async () => {
    const made = session();
    const sick: Parts = {
      ...parts(),
      gate: async () => {
        throw new KeelsonError('PREFLIGHT', 'w1 is not Ready');
      },
    };
    await expect(rotate(made, ['cluster-ca'], OWNER, sick)).rejects.toThrow('w1 is not Ready');
    made.fakes.get('cp2')?.files.delete(KEY);
    await expect(rotate(made, ['cluster-ca'], OWNER, parts())).rejects.toThrow(/not on every control plane/);
    expect(standing(made)).toEqual(all('old', 'old'));
  });

  it('of several goes on with those that are left, where the cluster was sick between two of them', async () => {
    const made = session();
    let looks = 0;
    const begun: string[] = [];
    const twice: Parts = {
      kindOf: (name) => ({
        ...kind,
        name,
        create: async () => {
          begun.push(name);
          return name === 'cluster-ca' ? fresh : old;
        },
      }),
      gate: async () => {
        looks += 1;
        if (looks === 2 || looks === 3) throw new KeelsonError('PREFLIGHT', 'w1 is not Ready');
      },
    };
    const both = ['cluster-ca', 'front-proxy-ca'] as const;
    await expect(rotate(made, both, OWNER, twice)).rejects.toThrow('w1 is not Ready');
    // What is wrong can be mended meanwhile.
    expect(await withLock(made, { owner: 'me', run: 'apply' }, async () => 1)).toBe(1);
    await expect(rotate(made, both, OWNER, twice)).rejects.toThrow('w1 is not Ready');
    expect(await rotate(made, both, OWNER, twice)).toMatchObject({
      rotated: ['front-proxy-ca'],
      state: null,
    });
    expect(begun).toEqual(['cluster-ca', 'front-proxy-ca']);
    expect(await readRotation(made)).toBe(null);
  });

  it('keeps keys readable for root alone', async () => {
    const made = session();
    await rotate(made, ['cluster-ca'], { ...OWNER, until: 'issue' }, parts());
    for (const host of made.fakes.values())
      for (const [path, { mode }] of host.files)
        if (path.startsWith(`${ROTATION_DIR}/`) && /key|crt/.test(path)) expect(mode, path).toBe(0o600);
    expect(made.fakes.get('w1')?.files.has(`${ROTATION_DIR}/new.key`)).toBe(false);
  });

  it('keeps plan and apply away until it has ended', async () => {
    const made = session();
    await rotate(made, ['cluster-ca'], { ...OWNER, until: 'trust' }, parts());
    const refusal = expect.objectContaining({
      code: 'CONFLICT',
      message: expect.stringContaining('the rotation of cluster-ca is under way'),
    });
    await expect(makePlan(made)).rejects.toEqual(refusal);
    await expect(withLock(made, { owner: 'me', run: 'apply' }, async () => 1)).rejects.toEqual(refusal);
    expect(await withLock(made, { owner: 'me', run: 'verify', duringRotation: true }, async () => 1)).toBe(1);
    await rollBack(made, OWNER, parts());
    expect(await withLock(made, { owner: 'me', run: 'apply' }, async () => 1)).toBe(1);
  });
});
