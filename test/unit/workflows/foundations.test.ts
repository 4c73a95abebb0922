import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../../src/cluster/client.js';
import { readKubeconfig } from '../../../src/pki/kubeconfig.js';
import {
  readFoundations,
  refuseOtherHosts,
  refuseOtherNetworking,
} from '../../../src/workflows/foundations.js';
import { runPhases } from '../../../src/workflows/phase-run.js';
import { phasesNamed } from '../../../src/workflows/phase-selection.js';
import { makePlan } from '../../../src/workflows/plan.js';
import { createFakeApi } from '../../fakes/fake-api.js';
import { CLUSTER, KUBEADM, parse, stream } from '../config/support.js';
import { clusterWithEtcd, type FakeSession, fakeSession } from './fixture.js';

const NODE_CERTIFICATE = /node-certificate$/;
const KUBELET_CONF = '/etc/kubernetes/kubelet.conf';
const ETCD_MANIFEST = '/etc/kubernetes/manifests/etcd.yaml';
const API_MANIFEST = '/etc/kubernetes/manifests/kube-apiserver.yaml';
const FAST = `${KUBEADM}encryptionAlgorithm: ECDSA-P256\n`;

const put = (session: FakeSession, host: string, path: string, text: string): void =>
  void session.fakes
    .get(host)
    ?.files.set(path, { content: Buffer.from(text), mode: 0o600, owner: 'root:root', type: 'file' });
const textOf = (session: FakeSession, host: string, path: string): string =>
  session.fakes.get(host)?.files.get(path)?.content.toString() ?? '';

/** A session whose cp1 has the keys and manifests of a running control plane. */
async function standing(): Promise<FakeSession> {
  const session = fakeSession();
  await runPhases(session, { phases: phasesNamed('certs'), owner: 'me' });
  const { tasks } = await makePlan(session);
  for (const change of tasks.flatMap((task) => (task.host === 'cp1' ? task.changes : [])))
    if (change.kind === 'file' && change.content?.kind === 'text')
      put(session, 'cp1', change.path, change.content.text);
  return session;
}

/** The same hosts under another file. */
function under(session: FakeSession, config = parse(stream(CLUSTER, FAST))): FakeSession {
  const fresh = fakeSession(config);
  for (const [name, host] of session.fakes)
    for (const [path, file] of host.files) fresh.fakes.get(name)?.files.set(path, file);
  return fresh;
}

describe('a plan for hosts of a running cluster', () => {
  it('is refused where the file calls a node by another’s name', async () => {
    const session = await standing();
    const conf = await session.context.trust.file('cp1', KUBELET_CONF);
    const certificate = readKubeconfig(conf.toString(), KUBELET_CONF).certPem ?? '';
    const own = under(session);
    own.fakes.get('cp1')?.on(NODE_CERTIFICATE, { stdout: certificate });
    await expect(makePlan(own)).resolves.toBeDefined();
    const other = under(session);
    other.fakes.get('w1')?.on(NODE_CERTIFICATE, { stdout: certificate });
    await expect(makePlan(other)).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringMatching(/w1: the machine at 10\.0\.0\.2 is the node cp1, not w1/),
    });
  });

  it('names what differs in the order of the file, whichever host answers first', async () => {
    const session = await standing();
    const conf = await session.context.trust.file('cp1', KUBELET_CONF);
    const certificate = readKubeconfig(conf.toString(), KUBELET_CONF).certPem ?? '';
    const other = under(session);
    other.fakes.get('w1')?.on(NODE_CERTIFICATE, { stdout: certificate });
    put(other, 'cp1', ETCD_MANIFEST, '    - --data-dir=/srv/etcd\n');
    const answers = [...(await readFoundations(other))].reverse();
    expect(() => refuseOtherHosts(other.context, new Map(answers))).toThrow(
      /cp1: etcd's data.*\n.*w1: the machine at/,
    );
  });

  it('leaves a kubelet’s certificate that can’t be read to the phase that mends it', async () => {
    const session = fakeSession();
    session.fakes.get('w1')?.on(NODE_CERTIFICATE, { stdout: 'junk' });
    await expect(makePlan(session)).resolves.toBeDefined();
  });

  it('is refused where etcd’s data or the certificates would be looked for in another place', async () => {
    const session = await standing();
    expect(textOf(session, 'cp1', ETCD_MANIFEST)).toContain('--data-dir=/var/lib/etcd');
    expect(textOf(session, 'cp1', API_MANIFEST)).toContain('--client-ca-file=/etc/kubernetes/pki/ca.crt');
    const moved = parse(
      stream(CLUSTER, `${FAST}certificatesDir: /etc/pki/k8s\netcd: {local: {dataDir: /srv/etcd}}\n`),
    );
    const refused = makePlan(under(session, moved));
    await expect(refused).rejects.toThrow("cp1: etcd's data is in /var/lib/etcd, dataDir is /srv/etcd");
    await expect(refused).rejects.toThrow(
      'cp1: the certificates are in /etc/kubernetes/pki, certificatesDir is /etc/pki/k8s',
    );
  });

  it('goes on with places that hold what belongs there, whatever a manifest says', async () => {
    const session = await standing();
    for (const path of ['/srv/etcd/member', '/etc/pki/k8s/ca.crt']) put(session, 'cp1', path, '');
    const moved = parse(stream(CLUSTER, `${FAST}etcd: {local: {dataDir: /srv/etcd}}\n`));
    await expect(makePlan(under(session, moved))).resolves.toBeDefined();
  });

  it('is refused where etcd of a control plane would be left behind', async () => {
    const session = await standing();
    const elsewhere = under(session, clusterWithEtcd());
    await expect(makePlan(elsewhere)).rejects.toThrow(
      "cp1: etcd runs on it, with the cluster's data in /var/lib/etcd; the file has etcd elsewhere",
    );
  });
});

describe('the address ranges of a running cluster', () => {
  const node = (name: string, ...podCIDRs: string[]): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    spec: { podCIDRs },
  });
  const service = (clusterIP: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'kubernetes', namespace: 'default' },
    spec: { clusterIP },
  });
  const uploaded = (dnsDomain: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'kubeadm-config', namespace: 'kube-system' },
    data: { ClusterConfiguration: `networking:\n  dnsDomain: ${dnsDomain}\n  podSubnet: 10.244.0.0/16\n` },
  });
  const running = () =>
    createFakeApi(
      node('cp1', '10.244.0.0/24'),
      node('w1', '10.244.1.0/24'),
      service('10.96.0.1'),
      uploaded('cluster.local'),
    );
  const hosts = CLUSTER.replace(/address: 10\.0\.0\.(\d)/g, '$&, nodeIP: "10.0.0.$1,fd00::$1"');
  const judge = (networking: string) =>
    refuseOtherNetworking(
      fakeSession(
        parse(
          stream(
            networking.includes('::') ? hosts : CLUSTER,
            FAST.replace(/^networking.*$/m, `networking: {${networking}}`),
          ),
        ),
      ).context,
      running(),
    );

  it.each([
    ['the same', 'podSubnet: 10.244.0.0/16, serviceSubnet: 10.96.0.0/12'],
    ['others with the same beginnings', 'podSubnet: 10.240.0.0/12, serviceSubnet: 10.96.0.0/16'],
  ])('may be written as %s', async (_, networking) => {
    await expect(judge(networking)).resolves.toBeUndefined();
  });

  it.each([
    [
      'podSubnet: 10.245.0.0/16',
      'podSubnet 10.245.0.0/16: nodes have other ranges: cp1 10.244.0.0/24, w1 10',
    ],
    ['podSubnet: 10.244.0.0/24', 'podSubnet 10.244.0.0/24: nodes have other ranges: w1 10.244.1.0/24'],
    [
      'podSubnet: "10.244.0.0/16,fd00:244::/48", serviceSubnet: "10.96.0.0/12,fd00:96::/112"',
      'other ranges: cp1',
    ],
    ['podSubnet: 10.244.0.0/16, serviceSubnet: 10.100.0.0/16', 'the Service kubernetes has 10.96.0.1'],
    [
      'podSubnet: 10.244.0.0/16, dnsDomain: k8s.example',
      'dnsDomain k8s.example: pods know the cluster as cluster.local',
    ],
  ])('can’t be written as %s', async (networking, message) => {
    await expect(judge(networking)).rejects.toThrow(message);
  });

  it('are not judged where nothing is known of them', async () => {
    const { context } = fakeSession();
    await expect(refuseOtherNetworking(context, createFakeApi())).resolves.toBeUndefined();
  });
});
