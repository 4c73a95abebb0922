import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type E2eLab,
  etcdMembers,
  keelson,
  kubectl,
  labDown,
  labUp,
  onNode,
  succeed,
  voters,
} from './support.js';

const PLANES = ['cp1', 'cp2', 'cp3'];

describe('a cluster of three control planes and a worker', () => {
  let lab: E2eLab;
  beforeAll(async () => {
    lab = await labUp('e2eha', '--control-planes', '3', '--workers', '1');
  });
  afterAll(() => labDown('e2eha'));

  it('has the control planes as voting members of etcd, and nothing left to plan', async () => {
    expect(await etcdMembers(lab)).toEqual(voters(...PLANES));
    const plan = await keelson(['plan', '-c', lab.clusterFile, '--detailed-exitcode']);
    expect(plan.stdout).toContain('Nothing to change');
    expect(plan.exitCode).toBe(0);
  });

  it('refuses a second operator without waiting for the first, and says who that is', async () => {
    await onNode(lab, 'w1', 'echo "# by hand" >> /var/lib/kubelet/config.yaml');
    const first = keelson(['apply', '-c', lab.clusterFile, '--log-format', 'json']);
    const started = new Promise<void>((resolve) => {
      first.stderr.on('data', (chunk: Buffer) => {
        if (chunk.toString().includes('"run-started"')) resolve();
      });
    });
    await Promise.race([started, first]);
    first.kill('SIGSTOP');
    const began = performance.now();
    const second = await keelson(['apply', '-c', lab.clusterFile]);
    const tookMs = performance.now() - began;
    first.kill('SIGCONT');
    expect(second.stderr).toMatch(/locked by \S+@\S+ \(apply\)/);
    expect(second.exitCode).toBe(8);
    process.stdout.write(`figure: a second operator was refused after ${Math.round(tookMs)} ms\n`);
    // Two seconds is what a quiet computer takes at most; the lock itself is good for a minute.
    expect(tookMs).toBeLessThan(10_000);
    expect((await first).exitCode).toBe(0);
  });

  it('lets kubeadm join a control plane by hand with certificates that keelson uploaded', async () => {
    await onNode(
      lab,
      'cp3',
      'kubeadm reset -f && rm -rf /etc/cni/net.d/*; ip link delete cni0; ip link delete flannel.1; true',
    );
    await kubectl(lab, 'delete', 'node', 'cp3');
    expect(await etcdMembers(lab)).toEqual(voters('cp1', 'cp2'));
    const uploaded = await succeed('phase', 'run', 'upload-certs', '-c', lab.clusterFile, '-o', 'json');
    const { certificateKey } = JSON.parse(uploaded) as { certificateKey: string };
    const token = ['token', 'create', '-c', lab.clusterFile, '--print-join-command'];
    const join = (await succeed(...token, '--certificate-key', certificateKey)).trim();
    expect(join).toContain(`--control-plane --certificate-key ${certificateKey}`);
    await onNode(lab, 'cp3', `${join} --ignore-preflight-errors=SystemVerification`);
    await kubectl(lab, 'wait', '--for=condition=Ready', 'node/cp3', '--timeout=120s');
    expect(await etcdMembers(lab)).toEqual(voters(...PLANES));
    await succeed('apply', '-c', lab.clusterFile);
    expect((await keelson(['plan', '-c', lab.clusterFile, '--detailed-exitcode'])).exitCode).toBe(0);
  });

  it('is worked on through another control plane when the first one is down', async () => {
    await succeed('lab', 'stop', 'cp1', '--name', lab.name);
    const began = performance.now();
    let answered = false;
    while (!answered && performance.now() - began < 30_000) {
      answered = (await keelson(['token', 'list', '-c', lab.clusterFile])).exitCode === 0;
    }
    expect(answered).toBe(true);
    const apply = await keelson(['apply', '-c', lab.clusterFile]);
    expect(apply.stderr).toContain('cp1');
    expect(apply.exitCode).toBe(5);
  });
});
