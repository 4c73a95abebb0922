import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  CONTROL_PLANE_KUBECTL,
  drift,
  type E2eLab,
  keelson,
  kubectl,
  labDown,
  labUp,
  onNode,
  succeed,
} from '../e2e/support.js';
import { startApiProbe } from './api-probe.js';
import { startServiceProbe } from './service-probe.js';
import { SOME_PLANES } from './support.js';
import { lostWrites, startWriter } from './writer.js';

const NAME = 'longup';
const OLD = 'v1.35.4';
const NEW = 'v1.36.3';

const several = SOME_PLANES.length > 1;
const WORKERS = several ? ['w1', 'w2'] : ['w1'];
const MACHINES = [
  ...['--control-planes', `${SOME_PLANES.length}`, '--workers', `${WORKERS.length}`],
  ...(several ? ['--endpoint', 'keepalived-haproxy'] : []),
];

describe('an upgrade of three control planes and two workers by a minor', () => {
  let lab: E2eLab;
  beforeAll(async () => {
    lab = await labUp(NAME, '--kubernetes-version', OLD, ...MACHINES);
  });
  afterAll(() => labDown(NAME));

  const upgrade = (...args: string[]) => ['upgrade', ...args, '-c', lab.clusterFile];
  const apply = (...args: string[]) => upgrade('apply', '--to', NEW, '--yes', '--no-snapshot', ...args);

  /** kubelet and API server of every node, as they say themselves. */
  async function versions(): Promise<string[]> {
    const template =
      '{range .items[*]}{.metadata.name}={.status.nodeInfo.kubeletVersion} {.spec.unschedulable} {end}';
    const nodes = await kubectl(lab, 'get', 'nodes', '-o', `jsonpath=${template}`);
    const images = await kubectl(
      lab,
      '-n',
      'kube-system',
      'get',
      'pods',
      '-l',
      'component=kube-apiserver',
      '-o',
      'jsonpath={range .items[*]}{.spec.containers[0].image} {end}',
    );
    return [...nodes.split(/\s+/), ...images.split(/\s+/).map((image) => image.replace(/.*:/, ''))].filter(
      (word) => word !== '',
    );
  }

  /** Static pods of which a container was started more than once; a kubelet of another minor may take them for strangers. */
  async function restarts(): Promise<string[]> {
    const template = '{range .items[*]}{.metadata.name}={.status.containerStatuses[0].restartCount} {end}';
    const selector = ['-l', 'tier=control-plane', '-o', `jsonpath=${template}`];
    const pods = await kubectl(lab, '-n', 'kube-system', 'get', 'pods', ...selector);
    return pods.split(/\s+/).filter((pod) => pod !== '' && !pod.endsWith('=0'));
  }

  const all = (version: string) => [
    ...[...SOME_PLANES, ...WORKERS].map((node) => `${node}=${version}`),
    ...SOME_PLANES.map(() => version),
  ];

  it('shows the way, every version and every change, and nothing in its way', async () => {
    const planned = JSON.parse(await succeed(...upgrade('plan', '--to', NEW, '-o', 'json')));
    expect(planned).toMatchObject({ from: OLD, to: NEW, path: [{ from: OLD, to: NEW }] });
    expect(planned.findings.filter(({ severity }: { severity: string }) => severity === 'error')).toEqual([]);
    expect(planned.versions).toContainEqual({
      host: SOME_PLANES.at(-1),
      component: 'etcd',
      current: '3.6.6-0',
      target: '3.6.8-0',
    });
    const diffs = planned.plan.tasks.flatMap(
      (task: { host: string; changes: { path?: string; diff?: string }[] }) =>
        task.changes.filter(({ path }) => path?.endsWith('kube-apiserver.yaml')).map(({ diff }) => diff),
    );
    expect(diffs).toHaveLength(SOME_PLANES.length);
    expect(diffs[0]).toContain(`+    image: registry.k8s.io/kube-apiserver:${NEW}`);
  });

  it('is not made by a plain apply', async () => {
    const before = readFileSync(lab.clusterFile, 'utf8');
    writeFileSync(lab.clusterFile, before.replaceAll(OLD, NEW));
    const result = await keelson(['apply', '-c', lab.clusterFile]);
    writeFileSync(lab.clusterFile, before);
    expect(result.exitCode).toBe(8);
    expect(result.stderr).toContain(`keelson upgrade apply --to ${NEW}`);
  });

  it('ends where a control plane does not come up, which goes back by itself and says why', async () => {
    const before = readFileSync(lab.clusterFile, 'utf8');
    const broken = before.replace(
      /^kind: ClusterConfiguration$/m,
      '$&\nscheduler: {extraArgs: [{name: no-such-flag, value: "1"}]}',
    );
    writeFileSync(lab.clusterFile, broken);
    const refused = await keelson(apply());
    expect(refused.exitCode).toBe(4);
    expect(refused.stderr).toContain('has no flag --no-such-flag');
    const forced = await keelson(apply('--ignore-preflight-errors', 'UnknownFlag'));
    expect(forced.exitCode).not.toBe(0);
    expect(forced.stderr).toContain(`cp1 is back at ${OLD}`);
    expect(forced.stderr).toContain('no-such-flag');
    writeFileSync(lab.clusterFile, before);
    expect(await versions()).toEqual(all(OLD));
    expect(await drift(lab)).toEqual([]);
  });

  it('goes on where it was killed, answers all the time and loses no write', async () => {
    const service = await startServiceProbe(lab, 'cp1');
    const writer = await startWriter(lab, 'up');
    const probe = startApiProbe(lab);
    const killed = new AbortController();
    const run = keelson(apply('--log-format', 'json'), { signal: killed.signal });
    run.stderr?.on('data', (chunk: Buffer) => {
      // Between etcd and the API server of the second control plane.
      if (chunk.includes('"host":"cp2"') && chunk.includes('upgrade/static-pods')) killed.abort();
    });
    await run;
    const refused = await keelson(['apply', '-c', lab.clusterFile]);
    expect(refused.stderr).toContain('is under way');
    await succeed(...apply());
    const [written, probed, served] = [await writer.stop(), await probe.stop(), await service.stop()];
    expect(await lostWrites(lab, 'up', written)).toEqual([]);
    expect(probed.failures.length / probed.asked, JSON.stringify(probed)).toBeLessThanOrEqual(0.001);
    process.stdout.write(`figure: ${probed.failures.length} of ${probed.asked} requests failed\n`);
    process.stdout.write(`figure: ${served.failed.length} of ${served.ok} requests to a Service failed\n`);
    expect(served.failed).toEqual([]);
    expect(served.ok).toBeGreaterThan(300);
    expect(await versions()).toEqual(all(NEW));
    expect(await drift(lab)).toEqual([]);
    expect(readFileSync(lab.clusterFile, 'utf8')).toContain(`kubernetesVersion: ${NEW}`);
  });

  it('leaves a cluster that kubeadm can plan for', async () => {
    const planned = await onNode(lab, 'cp1', `kubeadm upgrade plan ${NEW} 2>&1; true`);
    expect(planned).toContain('[upgrade] Running cluster health checks');
    expect(planned).toContain(`Target version: ${NEW}`);
    const config = await onNode(
      lab,
      'cp1',
      `${CONTROL_PLANE_KUBECTL} -n kube-system get configmap kubeadm-config -o yaml`,
    );
    expect(config).toContain(`kubernetesVersion: ${NEW}`);
  });

  it('is taken back, and made again', async () => {
    await succeed(...upgrade('rollback', '--yes'));
    expect(await versions()).toEqual(all(OLD));
    expect(await drift(lab)).toEqual([]);
    await succeed(...apply());
    expect(await versions()).toEqual(all(NEW));
    expect(await restarts()).toEqual([]);
  });
});
