import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type E2eLab, keelson, kubectl, labDown, labUp, onNode, succeed } from '../e2e/support.js';

const KUBELET_SERVER = "sed -n 's/^ *server: //p' /etc/kubernetes/kubelet.conf";

describe('three control planes behind a virtual address', () => {
  let lab: E2eLab;
  beforeAll(async () => {
    const more = ['--endpoint', 'keepalived-haproxy', '--control-planes', '3', '--workers', '1'];
    lab = await labUp('longlocal', ...more);
  });
  afterAll(() => labDown('longlocal'));

  it('moves on to a load balancer on every host, which bears the loss of the first control plane', async () => {
    await succeed('lab', 'up', '--name', lab.name, '--endpoint', 'node-local');
    const plan = await keelson(['plan', '-c', lab.clusterFile]);
    expect(plan.stdout).toContain('Nothing to change');
    expect((await onNode(lab, 'w1', KUBELET_SERVER)).trim()).toBe('https://127.0.0.1:7443');
    expect(await onNode(lab, 'cp1', 'ls /etc/keepalived')).not.toContain('keelson');
    await succeed('lab', 'stop', 'cp1', '--name', lab.name);
    const began = performance.now();
    const ready = () => kubectl(lab, 'get', '--raw', '/readyz', '--request-timeout=2s').catch(() => '');
    while ((await ready()) !== 'ok') expect(performance.now() - began).toBeLessThan(30_000);
    await kubectl(lab, 'wait', '--for=condition=Ready', 'node/w1', '--timeout=60s');
  });
});
