import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type E2eLab, keelson, kubectl, labDown, labUp, onNode, succeed } from '../e2e/support.js';
import { figure, PLANES } from './support.js';

/** API servers that the HAProxy of a host sends to. */
const BALANCED = "sed -n 's/^ *server \\([^ ]*\\) .*/\\1/p' /etc/haproxy/keelson.cfg | sort -u";
const KUBELET_SERVER = "sed -n 's/^ *server: //p' /etc/kubernetes/kubelet.conf";

describe('three control planes behind a virtual address', () => {
  let lab: E2eLab;
  beforeAll(async () => {
    const more = ['--endpoint', 'keepalived-haproxy', '--control-planes', '3', '--workers', '1'];
    lab = await labUp('longlocal', ...more);
  });
  afterAll(() => labDown('longlocal'));

  it('move on to a load balancer on every host', async () => {
    await succeed('lab', 'up', '--name', lab.name, '--endpoint', 'node-local');
    const plan = await keelson(['plan', '-c', lab.clusterFile]);
    expect(plan.stdout).toContain('Nothing to change');
    expect((await onNode(lab, 'w1', KUBELET_SERVER)).trim()).toBe('https://127.0.0.1:7443');
    expect(await onNode(lab, 'cp1', 'ls /etc/keepalived')).not.toContain('keelson');
  });

  it('have a load balancer on every host that follows those that come and go', async () => {
    const balanced = async (node: string) => (await onNode(lab, node, BALANCED)).trim().split('\n');
    const file = readFileSync(lab.clusterFile, 'utf8');
    await succeed('node', 'remove', 'cp3', '-c', lab.clusterFile);
    for (const node of ['cp1', 'cp2', 'w1']) expect(await balanced(node)).toEqual(['cp1', 'cp2']);
    writeFileSync(lab.clusterFile, file);
    await succeed('join', '--host', 'cp3', '-c', lab.clusterFile);
    for (const node of [...PLANES, 'w1']) expect(await balanced(node)).toEqual(PLANES);
  });

  it('bear the loss of the first one', async () => {
    await succeed('lab', 'stop', 'cp1', '--name', lab.name);
    const began = performance.now();
    const ready = () => kubectl(lab, 'get', '--raw', '/readyz', '--request-timeout=2s').catch(() => '');
    while ((await ready()) !== 'ok') expect(performance.now() - began).toBeLessThan(30_000);
    figure('API answered after the first control plane lost its power', performance.now() - began);
    await kubectl(lab, 'wait', '--for=condition=Ready', 'node/w1', '--timeout=60s');
  });
});
