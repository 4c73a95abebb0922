import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drift, type E2eLab, keelson, kubectl, labDown, labUp, onNode, succeed } from '../e2e/support.js';
import { KINDS, killedEverywhere, prepareRotation, trustOf, verifyStrictly } from './rotation-support.js';
import { figure, refreshKubeconfig, SOME_PLANES } from './support.js';

const NAME = 'longkilled';
const HOSTS = [...SOME_PLANES, 'w1'];

describe('a rotation that is killed wherever it comes to', () => {
  let lab: E2eLab;
  beforeAll(async () => {
    lab = await labUp(
      NAME,
      ...['--control-planes', String(SOME_PLANES.length), '--workers', '1', '--no-cluster'],
    );
    await prepareRotation(lab, SOME_PLANES);
    await succeed('apply', '-c', lab.clusterFile);
    await refreshKubeconfig(lab);
    await kubectl(lab, 'create', 'secret', 'generic', 'kept', '--from-literal', 'answer=42');
  });
  afterAll(() => labDown(NAME));

  it.each(KINDS)('of %s goes on each time, and ends as if it had not been', async (kind) => {
    // From RSA to ECDSA: what the cluster file asks for is what a rotation makes.
    const file = readFileSync(lab.clusterFile, 'utf8');
    if (!file.includes('encryptionAlgorithm'))
      writeFileSync(
        lab.clusterFile,
        file.replace(/^kind: ClusterConfiguration$/m, '$&\nencryptionAlgorithm: ECDSA-P256'),
      );
    const before = await trustOf(lab, 'cp1');
    const began = performance.now();
    const at = await killedEverywhere(['certs', 'rotate', kind, '--yes', '-c', lab.clusterFile]);
    figure(`${kind}, killed ${at.length} times`, performance.now() - began);
    // In each step every host begins and ends; cluster-wide steps too.
    for (const step of ['trust', 'issue', 'drop'])
      for (const moment of ['started', 'finished'])
        for (const host of SOME_PLANES) expect(at).toContain(`rotate/${kind}/${step} ${host}: ${moment}`);
    for (const moment of ['started', 'finished']) expect(at).toContain(`rotate/${kind}/verify : ${moment}`);
    process.stdout.write(`killed: ${at.join(', ')}\n`);
    for (const plane of SOME_PLANES) {
      expect(await onNode(lab, plane, 'ls -d /var/lib/keelson/rotation 2>/dev/null || true')).toBe('');
      expect(await trustOf(lab, plane)).toBe(await trustOf(lab, 'cp1'));
    }
    const changed = changedFiles(before, await trustOf(lab, 'cp1'));
    expect(changed).toEqual(FILES[kind]);
    // The kubeconfig beside the cluster file has followed, whenever its run was killed.
    await kubectl(lab, 'get', 'nodes');
    expect((await keelson(['certs', 'check', '-c', lab.clusterFile])).stdout).not.toContain('✖');
  });

  it('leaves a cluster with nothing to do, with keys of the other kind', async () => {
    // ConfigMap kubeadm-config tells the algorithm.
    await succeed('apply', '-c', lab.clusterFile);
    expect(await drift(lab)).toEqual([]);
    for (const host of HOSTS) expect(await verifyStrictly(lab, host)).toBeGreaterThanOrEqual(2);
    const algorithms = await onNode(
      lab,
      'cp1',
      `cd /etc/kubernetes/pki; for f in $(find . -name '*.crt') /var/lib/kubelet/pki/kubelet-client-current.pem; do
openssl x509 -in $f -noout -text | sed -n 's/ *Public Key Algorithm: //p'; done | sort -u`,
    );
    expect(algorithms.trim()).toBe('id-ecPublicKey');
    const answer = ['get', 'secret', 'kept', '-o', 'jsonpath={.data.answer}'];
    expect(Buffer.from(await kubectl(lab, ...answer), 'base64').toString()).toBe('42');
    await succeed('verify', '-c', lab.clusterFile);
  });
});

/** Files that a rotation replaces, of those that say whom to trust. */
const FILES: Readonly<Record<(typeof KINDS)[number], string[]>> = {
  'cluster-ca': ['pki/ca.crt', 'pki/ca.key'],
  'etcd-ca': ['pki/etcd/ca.crt', 'pki/etcd/ca.key'],
  'front-proxy-ca': ['pki/front-proxy-ca.crt', 'pki/front-proxy-ca.key'],
  sa: ['pki/sa.key', 'pki/sa.pub'],
  'encryption-key': ['enc/enc.yaml'],
};

/** Names of files whose digest differs. */
function changedFiles(before: string, after: string): string[] {
  const lines = before.split('\n');
  return after
    .split('\n')
    .filter((line) => line !== '' && !lines.includes(line))
    .map((line) => line.replace(/^\S+ +/, ''));
}
