import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drift, type E2eLab, keelson, kubectl, labDown, labUp } from '../e2e/support.js';
import { lostWrites, startWriter } from './writer.js';

const NAME = 'longupkill';
const OLD = 'v1.35.4';
const NEW = 'v1.36.3';

/** What a run has come to, by a line of its events; null for lines that tell of no step. */
function stepOf(line: string): string | null {
  if (!line.startsWith('{')) return null;
  const event = JSON.parse(line) as { type: string; phase?: string; host?: string; for?: string };
  switch (event.type) {
    case 'task-started':
      return `${event.phase} on ${event.host}`;
    case 'waiting':
      return `waiting for ${event.for} on ${event.host}`;
    default:
      return null;
  }
}

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

  /** Kills a command at every step that a run of it comes to, each once, until one gets to the end. @returns the steps */
  async function killedEverywhere(...args: string[]): Promise<string[]> {
    const killed = new Set<string>();
    for (;;) {
      const child = keelson([...args, '-c', lab.clusterFile, '--yes', '--log-format', 'json']);
      let reached: string | undefined;
      let rest = '';
      child.stderr?.on('data', (chunk: Buffer) => {
        const lines = `${rest}${chunk}`.split('\n');
        rest = lines.pop() ?? '';
        const fresh = lines.map(stepOf).find((step) => step !== null && !killed.has(step));
        if (fresh == null || reached !== undefined) return;
        reached = fresh;
        child.kill('SIGKILL');
      });
      const { signal, exitCode, stderr } = await child;
      if (signal === 'SIGKILL' && reached !== undefined) {
        killed.add(reached);
        continue;
      }
      // A run that was killed at its very end had ended it all.
      if (exitCode !== 0) expect(stderr).toContain('was taken back already');
      return [...killed];
    }
  }

  async function nodes(): Promise<string> {
    const template =
      '{range .items[*]}{.metadata.name}={.status.nodeInfo.kubeletVersion}{.spec.unschedulable} {end}';
    return kubectl(lab, 'get', 'nodes', '-o', `jsonpath=${template}`);
  }

  it('ends in the new version, with every write that was acknowledged', async () => {
    const writer = await startWriter(lab, 'up');
    const kills = await killedEverywhere('upgrade', 'apply', '--to', NEW, '--snapshot-dir', lab.directory);
    process.stdout.write(`figure: killed on the way up at ${kills.join(', ')}\n`);
    expect(kills.length).toBeGreaterThanOrEqual(8);
    const written = await writer.stop();
    expect(await lostWrites(lab, 'up', written)).toEqual([]);
    expect(await nodes()).toBe(`cp1=${NEW} w1=${NEW} `);
    expect(await drift(lab)).toEqual([]);
  });

  it('ends in the old version where it is taken back', async () => {
    const writer = await startWriter(lab, 'down');
    const kills = await killedEverywhere('upgrade', 'rollback');
    process.stdout.write(`figure: killed on the way back at ${kills.join(', ')}\n`);
    expect(kills.length).toBeGreaterThanOrEqual(5);
    const written = await writer.stop();
    expect(await lostWrites(lab, 'down', written)).toEqual([]);
    expect(await nodes()).toBe(`cp1=${OLD} w1=${OLD} `);
    expect(await drift(lab)).toEqual([]);
  });
});
