import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  drift,
  type E2eLab,
  keelson,
  kubectl,
  labDown,
  labUp,
  onNode,
  succeed,
  WORK,
} from '../e2e/support.js';

const NAME = 'longupfail';
const OLD = 'v1.35.4';
const NEW = 'v1.36.3';
/** Of Kubernetes v1.35; v1.36 has it no more. */
const REMOVED_GATE = 'MemoryManager';

describe('an upgrade in which something goes wrong, of a control plane and a worker', () => {
  let lab: E2eLab;
  beforeAll(async () => {
    lab = await labUp(NAME, '--kubernetes-version', OLD, '--workers', '1');
  });
  afterAll(() => labDown(NAME));

  const args = (...rest: string[]) => ['-c', lab.clusterFile, ...rest];
  const upgrade = (...rest: string[]) =>
    keelson(['upgrade', 'apply', '--to', NEW, '--yes', '--no-snapshot', ...args(...rest)]);
  const power = (op: 'stop' | 'start', node: string) => succeed('lab', op, node, '--name', NAME);

  /** Versions of the kubelets, of the API server, and nodes that take no pods. */
  async function state(): Promise<string> {
    const nodes =
      '{range .items[*]}{.metadata.name}={.status.nodeInfo.kubeletVersion}{.spec.unschedulable} {end}';
    const api = '{.items[0].spec.containers[0].image}';
    const selector = ['-n', 'kube-system', 'get', 'pods', '-l', 'component=kube-apiserver'];
    const image = await kubectl(lab, ...selector, '-o', `jsonpath=${api}`);
    return `${await kubectl(lab, 'get', 'nodes', '-o', `jsonpath=${nodes}`)}${image.replace(/.*:/, '')}`;
  }
  const at = (api: string, cp1 = api, w1 = api) => `cp1=${cp1} w1=${w1} ${api}`;

  /** Does something with another text of the cluster file, which is what it was afterwards. */
  async function withText(change: (text: string) => string, work: () => Promise<void>): Promise<void> {
    const before = readFileSync(lab.clusterFile, 'utf8');
    writeFileSync(lab.clusterFile, change(before));
    try {
      await work();
    } finally {
      writeFileSync(lab.clusterFile, before);
    }
  }
  const inCluster = (yaml: string) => (text: string) =>
    text.replace(/^kind: ClusterConfiguration$/m, `$&\n${yaml}`);

  /** A patch that gives the scheduler another image. */
  async function withSchedulerImage(image: string, work: () => Promise<void>): Promise<void> {
    const patches = join(WORK, 'patches-upgrade');
    mkdirSync(patches, { recursive: true });
    writeFileSync(
      join(patches, 'kube-scheduler+strategic.yaml'),
      `spec: {containers: [{name: kube-scheduler, image: "${image}"}]}\n`,
    );
    try {
      await withText((text) => text.replace(/^( +)- name: cp1$/m, `$&\n$1  patches: ${patches}`), work);
    } finally {
      rmSync(patches, { recursive: true });
    }
  }

  it('is refused where the image of a static pod is nowhere', async () => {
    await withSchedulerImage('registry.k8s.io/kube-scheduler:v1.36.99', async () => {
      const refused = await upgrade();
      expect(refused.exitCode, refused.stderr).toBe(4);
      expect(refused.stderr).toContain('ManifestImage');
      expect(refused.stderr).toContain('nothing was changed');
    });
    expect(await state()).toBe(at(OLD));
  });

  it('goes back where an image is there and can’t run', async () => {
    await withSchedulerImage('registry.k8s.io/pause:3.10.2', async () => {
      const broken = await upgrade();
      expect(broken.exitCode, broken.stderr).toBe(7);
      expect(broken.stderr).toContain(`cp1 is back at ${OLD}`);
      expect(broken.stderr).toMatch(/kube-scheduler (can't be started|keeps ending)/);
    });
    expect(await state()).toBe(at(OLD));
    expect(await drift(lab)).toEqual([]);
  });

  it('is refused for a feature gate that the new version has no more, and goes back where it is forced', async () => {
    const gate = `apiServer: {extraArgs: [{name: feature-gates, value: ${REMOVED_GATE}=true}]}`;
    await withText(inCluster(gate), async () => {
      await succeed('apply', ...args());
      const refused = await upgrade();
      expect(refused.exitCode, refused.stderr).toBe(4);
      expect(refused.stderr).toContain('FeatureGate');
      expect(refused.stderr).toContain(REMOVED_GATE);
      const forced = await upgrade('--ignore-preflight-errors', 'FeatureGate');
      expect(forced.exitCode, forced.stderr).toBe(7);
      expect(forced.stderr).toContain(`cp1 is back at ${OLD}`);
      expect(forced.stderr).toContain(REMOVED_GATE);
      expect(await drift(lab)).toEqual([]);
    });
    await succeed('apply', ...args());
    expect(await state()).toBe(at(OLD));
  });

  it('is refused where a disk has no room for what comes, and ends with nothing changed where it is forced', async () => {
    await onNode(lab, 'w1', 'mount -t tmpfs -o size=16m,mode=700 tmpfs /var/lib/keelson');
    try {
      const refused = await upgrade();
      expect(refused.exitCode, refused.stderr).toBe(4);
      expect(refused.stderr).toContain('DiskSpace');
      const forced = await upgrade('--ignore-preflight-errors', 'DiskSpace');
      expect(forced.exitCode, forced.stderr).not.toBe(0);
      expect(forced.stderr).toMatch(/no space left/i);
    } finally {
      await onNode(lab, 'w1', 'umount -l /var/lib/keelson');
    }
    expect(await state()).toBe(at(OLD));
    expect(await drift(lab)).toEqual([]);
  });

  it('does not begin a host whose disk is full', async () => {
    await onNode(lab, 'cp1', 'mount -t tmpfs -o size=8m tmpfs /var/log');
    try {
      const refused = await upgrade('--ignore-preflight-errors', 'DiskSpace');
      expect(refused.exitCode, refused.stderr).toBe(4);
      expect(refused.stderr).toContain('/var/log has');
      expect(refused.stderr).toContain('nothing was changed on cp1');
    } finally {
      await onNode(lab, 'cp1', 'umount -l /var/log');
    }
    expect(await state()).toBe(at(OLD));
    expect(await drift(lab)).toEqual([]);
  });

  it('takes no worker before the control plane', async () => {
    const refused = await upgrade('--host', 'w1');
    expect(refused.exitCode, refused.stderr).toBe(8);
    expect(refused.stderr).toContain('workers come after all control planes');
    expect(await state()).toBe(at(OLD));
  });

  it('stops at a worker whose pods a disruption budget holds, and leaves it as it was', async () => {
    const pod = 'deployment held --image=registry.k8s.io/pause:3.10.1 --replicas=1';
    await kubectl(lab, 'create', ...pod.split(' '));
    await kubectl(lab, 'rollout', 'status', 'deployment/held', '--timeout=120s');
    await kubectl(
      lab,
      'create',
      ...'poddisruptionbudget held --selector=app=held --min-available=1'.split(' '),
    );
    const stopped = await upgrade('--timeout', '10s');
    expect(stopped.exitCode, stopped.stderr).toBe(7);
    expect(stopped.stderr).toContain('default/held');
    expect(stopped.stderr).toContain('--no-drain');
    expect(await state()).toBe(at(NEW, NEW, OLD));
  });

  it('takes a worker back whose new kubelet does not start, and says why', async () => {
    const flag = (text: string) =>
      text.replace(
        /^( +)- name: w1$/m,
        '$&\n$1  nodeRegistration: {kubeletExtraArgs: [{name: no-such-flag, value: "1"}]}',
      );
    await withText(flag, async () => {
      const back = await upgrade('--no-drain');
      expect(back.exitCode, back.stderr).not.toBe(0);
      expect(back.stderr).toContain(`w1 is back at ${OLD}`);
      expect(back.stderr).toContain('no-such-flag');
    });
    expect(await state()).toBe(at(NEW, NEW, OLD));
  });

  it('stops at a worker that is lost, says what to do, and goes on when it is back', async () => {
    await kubectl(lab, 'delete', 'poddisruptionbudget/held');
    const json = ['--log-format', 'json'];
    const run = upgrade(...json);
    let cut: Promise<unknown> | undefined;
    run.stderr?.on('data', (chunk: Buffer) => {
      if (/"task-finished","phase":"node\/drain","host":"w1"/.test(chunk.toString()))
        cut ??= power('stop', 'w1');
    });
    const lost = await run;
    await cut;
    expect(cut, 'the power was cut').toBeDefined();
    expect(lost.exitCode, lost.stderr).toBe(5);
    expect(lost.stderr).toContain('bring w1 back and run the same command again');
    const others = await upgrade('--host', 'cp1');
    expect(others.exitCode, others.stderr).toBe(0);
    expect(others.stdout).toContain('hosts are left');
    await power('start', 'w1');
    const done = await upgrade();
    expect(done.exitCode, done.stderr).toBe(0);
    expect(await state()).toBe(at(NEW));
    expect(await drift(lab)).toEqual([]);
  });

  it('is taken back without a worker that never comes back, once that is removed', async () => {
    await power('stop', 'w1');
    const back = ['upgrade', 'rollback', '--yes', ...args()];
    const refused = await keelson(back);
    expect(refused.exitCode, refused.stderr).toBe(5);
    await succeed('node', 'remove', 'w1', '--unreachable', ...args());
    await succeed(...back);
    expect(await state()).toBe(`cp1=${OLD} ${OLD}`);
    expect(await drift(lab)).toEqual([]);
  });
});
