import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drift, type E2eLab, kubectl, labDown, labUp, succeed } from '../e2e/support.js';
import { lostWrites, startWriter } from './writer.js';

const NAME = 'longupmin';
const WAY = ['v1.34.4', 'v1.35.4', 'v1.36.3'] as const;
const [OLD, MIDDLE, NEW] = WAY;

describe('an upgrade by two minors in one command, of a control plane and a worker', () => {
  let lab: E2eLab;
  beforeAll(async () => {
    lab = await labUp(NAME, '--kubernetes-version', OLD, '--workers', '1');
  });
  afterAll(() => labDown(NAME));

  async function nodes(): Promise<string> {
    const template =
      '{range .items[*]}{.metadata.name}={.status.nodeInfo.kubeletVersion}{.spec.unschedulable} {end}';
    return kubectl(lab, 'get', 'nodes', '-o', `jsonpath=${template}`);
  }

  it('shows the way, and takes each minor in turn', async () => {
    expect(await drift(lab)).toEqual([]);
    const plan = JSON.parse(
      await succeed('upgrade', 'plan', '--to', NEW, '-c', lab.clusterFile, '-o', 'json'),
    );
    const path = [
      { from: OLD, to: MIDDLE },
      { from: MIDDLE, to: NEW },
    ];
    expect(plan.path).toEqual(path);
    const writer = await startWriter(lab, 'minors');
    const done = JSON.parse(
      await succeed(
        ...['upgrade', 'apply', '--to', NEW, '--yes', '-c', lab.clusterFile, '-o', 'json'],
        ...['--snapshot-dir', lab.directory],
      ),
    ) as { steps: { from: string; to: string; snapshot: string | null; durationMs: number }[] };
    expect(done.steps.map(({ from, to }) => ({ from, to }))).toEqual(path);
    expect(new Set(done.steps.map(({ snapshot }) => snapshot)).size).toBe(2);
    for (const { from, to, durationMs } of done.steps)
      process.stdout.write(`figure: ${from} → ${to}: ${(durationMs / 1000).toFixed(1)} s\n`);
    const written = await writer.stop();
    expect(await lostWrites(lab, 'minors', written)).toEqual([]);
    expect(await nodes()).toBe(`cp1=${NEW} w1=${NEW} `);
    expect(await drift(lab)).toEqual([]);
  });

  it('is taken back by the last of them', async () => {
    await succeed('upgrade', 'rollback', '--yes', '-c', lab.clusterFile);
    expect(await nodes()).toBe(`cp1=${MIDDLE} w1=${MIDDLE} `);
    expect(await drift(lab)).toEqual([]);
  });
});
