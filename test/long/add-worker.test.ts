import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type E2eLab, keelson, kubectl, labDown, labUp, onNode, succeed } from '../e2e/support.js';
import { expectNothingToPlan, figure, PLANES, withHosts } from './support.js';

/** The issue's own bound, on a computer with nothing else to do. */
const LIMIT_MS = 15_000;
const OTHERS = ['cp2', 'cp3', 'w1', 'w2'];

describe('a cluster of five nodes that gets a sixth', () => {
  let lab: E2eLab;
  let original: string;
  beforeAll(async () => {
    const shape = ['--control-planes', '3', '--workers', '3', '--endpoint', 'keepalived-haproxy'];
    lab = await labUp('longadd', ...shape, '--no-cluster');
    original = readFileSync(lab.clusterFile, 'utf8');
    writeFileSync(lab.clusterFile, withHosts(original, /^w/, ['w1', 'w2']));
    await succeed('apply', '-c', lab.clusterFile);
    await succeed('kubeconfig', '-c', lab.clusterFile, '--out', lab.kubeconfig);
    writeFileSync(lab.clusterFile, original);
  });
  afterAll(() => labDown('longadd'));

  /** Sessions and connections that sshd took on the hosts that have nothing to do with it. */
  const logins = async () =>
    Promise.all(
      OTHERS.map((node) => onNode(lab, node, 'journalctl -u ssh -o cat | grep -c "Accepted " || true')),
    );

  it('asks the others nothing, and is done within fifteen seconds', async () => {
    const before = (await logins()).map(Number);
    const quiet = (loadavg()[0] ?? 0) < cpus().length;
    const began = performance.now();
    const join = await keelson(['join', '--host', 'w3', '-c', lab.clusterFile, '--log-format', 'json']);
    const tookMs = performance.now() - began;
    figure('a worker joined five nodes', tookMs);
    expect(join.exitCode, join.stderr).toBe(0);
    // This second look logs in once itself.
    expect((await logins()).map(Number)).toEqual(before.map((count) => count + 1));
    await kubectl(lab, 'wait', '--for=condition=Ready', 'node/w3', '--timeout=30s');
    await expectNothingToPlan(lab);
    if (quiet) expect(tookMs).toBeLessThan(LIMIT_MS);
  });

  it('has its control planes as they were', async () => {
    const nodes = await kubectl(
      lab,
      'get',
      'nodes',
      '-l',
      'node-role.kubernetes.io/control-plane',
      '-o',
      'name',
    );
    expect(nodes.split('\n')).toEqual(PLANES.map((name) => `node/${name}`));
  });
});
