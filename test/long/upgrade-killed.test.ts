import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drift, type E2eLab, keelson, kubectl, labDown, labUp } from '../e2e/support.js';
import { lostWrites, startWriter } from './writer.js';

const NAME = 'longupkill';
const OLD = 'v1.35.4';
const NEW = 'v1.36.3';

/** Events of a run, in the order in which they come; each is waited for by one run, which then gets SIGKILL. */
const STEPS: readonly RegExp[] = [
  /"type":"task-started".*"phase":"images/,
  /"phase":"upgrade\/stage"/,
  /snapshot of etcd/,
  /"type":"task-started".*"phase":"upgrade\/static-pods"/,
  /"type":"waiting".*"for":"etcd"/,
  /"type":"waiting".*"for":"kube-apiserver"/,
  /"type":"waiting".*"for":"kube-controller-manager/,
  /"type":"waiting".*"for":"the node"/,
  /"type":"task-started".*"phase":"(upload-config|addon)/,
  /"type":"task-started".*"phase":"addon\/coredns/,
  /"type":"waiting".*"for":"nodes and add-ons"/,
  /"phase":"node\/drain"/,
  /"type":"task-started".*"host":"w1"/,
  /"type":"task-started".*"phase":"kubelet\/tools/,
];

describe('an upgrade that is killed at every step, of a control plane and a worker', () => {
  let lab: E2eLab;
  beforeAll(async () => {
    lab = await labUp(NAME, '--kubernetes-version', OLD, '--workers', '1');
    await kubectl(
      lab,
      ...'create deployment moving --image=registry.k8s.io/pause:3.10.1 --replicas=2'.split(' '),
    );
  });
  afterAll(() => labDown(NAME));

  /** Runs a command until an event of it, and kills it then. True where it was killed. */
  async function killedAt(event: RegExp, ...args: string[]): Promise<boolean> {
    const child = keelson([...args, '-c', lab.clusterFile, '--yes', '--log-format', 'json']);
    let rest = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      const lines = `${rest}${chunk}`.split('\n');
      rest = lines.pop() ?? '';
      if (lines.some((line) => event.test(line))) child.kill('SIGKILL');
    });
    const { signal, exitCode, stderr } = await child;
    if (signal === 'SIGKILL') return true;
    // A run that was killed at its very end had ended it all.
    if (exitCode !== 0) expect(stderr).toContain('was taken back already');
    return false;
  }

  /** Kills at one step after the other, until one run gets to the end; then nothing is left to do. */
  async function killedEverywhere(...args: string[]): Promise<number> {
    let kills = 0;
    for (const step of STEPS) if (await killedAt(step, ...args)) kills += 1;
    const last = await keelson([...args, '-c', lab.clusterFile, '--yes']);
    // A run that was not killed may have ended it all.
    if (last.exitCode !== 0) expect(last.stderr).toContain('was taken back already');
    return kills;
  }

  async function nodes(): Promise<string> {
    const template =
      '{range .items[*]}{.metadata.name}={.status.nodeInfo.kubeletVersion}{.spec.unschedulable} {end}';
    return kubectl(lab, 'get', 'nodes', '-o', `jsonpath=${template}`);
  }

  it('ends in the new version, with every write that was acknowledged', async () => {
    const writer = await startWriter(lab, 'up');
    const kills = await killedEverywhere('upgrade', 'apply', '--to', NEW, '--snapshot-dir', lab.directory);
    process.stdout.write(`figure: killed ${kills} times on the way up\n`);
    expect(kills).toBeGreaterThanOrEqual(8);
    const written = await writer.stop();
    expect(await lostWrites(lab, 'up', written)).toEqual([]);
    expect(await nodes()).toBe(`cp1=${NEW} w1=${NEW} `);
    expect(await drift(lab)).toEqual([]);
  });

  it('ends in the old version where it is taken back', async () => {
    const writer = await startWriter(lab, 'down');
    const kills = await killedEverywhere('upgrade', 'rollback');
    process.stdout.write(`figure: killed ${kills} times on the way back\n`);
    expect(kills).toBeGreaterThanOrEqual(5);
    const written = await writer.stop();
    expect(await lostWrites(lab, 'down', written)).toEqual([]);
    expect(await nodes()).toBe(`cp1=${OLD} w1=${OLD} `);
    expect(await drift(lab)).toEqual([]);
  });
});
