import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type E2eLab, keelson, kubectl, labDown, labUp, succeed } from './support.js';

const KILLS = 10;
/** Changes of a fresh 1+1 cluster, about; each run is killed a random part of the way through what is left. */
const CHANGES_PER_KILL = 14;

describe('apply killed at random moments', () => {
  let lab: E2eLab;
  beforeAll(async () => {
    lab = await labUp('e2ekill', '--workers', '1', '--no-cluster');
  });
  afterAll(() => labDown('e2ekill'));

  it('stops between changes when it is interrupted, and says where it stands', async () => {
    const child = keelson(['apply', '-c', lab.clusterFile, '--log-format', 'json']);
    let told = false;
    child.stderr.on('data', (chunk: Buffer) => {
      if (told || !chunk.toString().includes('"change-finished"')) return;
      told = true;
      child.kill('SIGINT');
    });
    const { exitCode, stderr } = await child;
    expect(exitCode).toBe(130);
    expect(stderr).toMatch(/interrupted after \d+ changes; still to do: .+/);
    expect(stderr).toContain('run keelson apply again');
    const events = stderr.split('\n').flatMap((line) => (line.startsWith('{"') ? [JSON.parse(line)] : []));
    const count = (type: string) => events.filter((event) => event.type === type).length;
    expect(count('change-finished')).toBe(count('change-started'));
  });

  it('converges when it is run again, after ten kills', async () => {
    let killed = 0;
    for (let round = 0; round < KILLS; round += 1) {
      const changes = 1 + Math.floor(Math.random() * CHANGES_PER_KILL);
      if (await applyAndKill(lab, changes)) killed += 1;
    }
    expect(killed).toBeGreaterThanOrEqual(7);
    await succeed('apply', '-c', lab.clusterFile);
    expect((await keelson(['plan', '-c', lab.clusterFile, '--detailed-exitcode'])).exitCode).toBe(0);
    await succeed('kubeconfig', '-c', lab.clusterFile, '--out', lab.kubeconfig);
    const ready = await kubectl(
      lab,
      'get',
      'nodes',
      '-o',
      'jsonpath={.items[*].status.conditions[-1].status}',
    );
    expect(ready).toBe('True True');
  });
});

/** Kills apply with SIGKILL when that many changes have begun, after a random moment more. True where it was killed. */
async function applyAndKill(lab: E2eLab, changes: number): Promise<boolean> {
  const child = keelson(['apply', '-c', lab.clusterFile, '--log-format', 'json']);
  let begun = 0;
  child.stderr.on('data', (chunk: Buffer) => {
    begun += chunk.toString().split('"change-started"').length - 1;
    if (begun >= changes) setTimeout(() => child.kill('SIGKILL'), Math.random() * 300);
  });
  const result = await child;
  if (result.signal === 'SIGKILL') return true;
  if (result.exitCode !== 0) throw new Error(`apply failed by itself: ${result.stderr.slice(-3000)}`);
  return false;
}
