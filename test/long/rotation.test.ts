import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
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
import { refreshKubeconfig, SOME_PLANES } from './support.js';
import { lostWrites, startWriter, type Writer } from './writer.js';

const HOSTS = [...SOME_PLANES, 'w1'];
const LAST = SOME_PLANES.at(-1) ?? '';
/** Writes that may fail while API servers restart with their members: a single one is away for that time. */
const ETCD_FAILURES = SOME_PLANES.length > 1 ? 40 : 500;
const KUBELET_KUBECTL = 'kubectl --kubeconfig /etc/kubernetes/kubelet.conf';
const SERVING = '/var/lib/kubelet/pki/kubelet-server-current.pem';

/** A node's request for names that are not its own. */
const FORGED = `cd /tmp && openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout forged.key \
-subj /O=system:nodes/CN=system:node:${LAST} -addext subjectAltName=DNS:kubernetes.default.svc -out forged.csr 2>/dev/null
cat > forged.yaml <<EOF
{apiVersion: certificates.k8s.io/v1, kind: CertificateSigningRequest, metadata: {name: forged}, spec: {
 signerName: kubernetes.io/kubelet-serving, usages: [digital signature, server auth], request: $(base64 -w0 forged.csr)}}
EOF
${KUBELET_KUBECTL} create -f forged.yaml`;

/** sha256 of the CA that signed what stands in these files, and of those that are trusted. */
const fingerprint = (lab: E2eLab, node: string) =>
  onNode(lab, node, 'openssl x509 -in /etc/kubernetes/pki/ca.crt -noout -fingerprint -sha256');

describe('certificates rotated under load, control planes and a worker', () => {
  let lab: E2eLab;
  let writer: Writer;

  beforeAll(async () => {
    lab = await labUp(
      'longrotate',
      '--control-planes',
      String(SOME_PLANES.length),
      '--workers',
      '1',
      '--no-cluster',
    );
    const text = readFileSync(lab.clusterFile, 'utf8');
    writeFileSync(
      lab.clusterFile,
      text.replace(/^kind: KubeletConfiguration$/m, '$&\nserverTLSBootstrap: true'),
    );
    await succeed('apply', '-c', lab.clusterFile);
    await refresh();
    writer = await startWriter(lab, 'rotate');
  });
  afterAll(() => labDown('longrotate'));

  const refresh = () => refreshKubeconfig(lab);
  const rotate = (what: string, ...more: string[]) =>
    succeed('certs', 'rotate', what, '--yes', '-c', lab.clusterFile, ...more);

  /** Kills a rotation with SIGKILL as soon as its progress says so. */
  const killedAt = async (what: string, moment: RegExp): Promise<string> => {
    const child = keelson(['certs', 'rotate', what, '--yes', '-c', lab.clusterFile]);
    let seen = '';
    child.stderr.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
      if (moment.test(seen)) child.kill('SIGKILL');
    });
    return (await child).signal ?? 'ended';
  };

  /** Writes that were made and that failed meanwhile. */
  const counted = async (work: () => Promise<unknown>) => {
    const before = { made: writer.count(), failed: writer.failed() };
    await work();
    const failed = writer.failed() - before.failed;
    return { failed, made: writer.count() - before.made + failed };
  };

  it('kubelets serve with certificates of the cluster’s CA, and a forged request is not approved', async () => {
    for (const node of HOSTS) {
      const verified = await onNode(
        lab,
        node,
        `openssl verify -CAfile /etc/kubernetes/pki/ca.crt ${SERVING}`,
      );
      expect(verified).toContain('OK');
    }
    await onNode(lab, LAST, FORGED);
    const { stderr, exitCode } = await keelson(['apply', '-c', lab.clusterFile]);
    expect(exitCode).toBe(0);
    expect(stderr).toContain('does not have dns:kubernetes.default.svc');
    const conditions = await kubectl(lab, 'get', 'csr', 'forged', '-o', 'jsonpath={.status.conditions}');
    expect(conditions).toBe('');
    await kubectl(lab, 'delete', 'csr', 'forged');
    expect(await drift(lab)).toEqual([]);
  });

  it('the etcd CA, member after member', async () => {
    const { failed, made } = await counted(() => rotate('etcd-ca'));
    console.log(`etcd CA: ${failed} of ${made} writes failed`);
    // API servers stop and start twice: whoever is connected to one has to go to the next.
    expect(failed).toBeLessThan(ETCD_FAILURES);
    expect(await drift(lab)).toEqual([]);
    await writer.next(30_000);
  });

  it('the cluster CA can be taken back, and plan and apply keep away meanwhile', async () => {
    const before = await fingerprint(lab, 'cp1');
    await rotate('cluster-ca', '--until', 'trust');
    expect((await keelson(['apply', '-c', lab.clusterFile])).stderr).toContain(
      'the rotation of cluster-ca is under way',
    );
    await rotate('rollback');
    expect(await fingerprint(lab, 'w1')).toBe(before);
    expect(await drift(lab)).toEqual([]);
  });

  it('the cluster CA is replaced, killed on the way, and nothing of the old one is left', async () => {
    const before = await fingerprint(lab, 'cp1');
    const old = join(WORK, 'old.kubeconfig');
    writeFileSync(old, readFileSync(lab.kubeconfig));
    const oldCa = await onNode(lab, 'cp1', 'cat /etc/kubernetes/pki/ca.crt');
    const { failed, made } = await counted(async () => {
      expect(await killedAt('cluster-ca', new RegExp(`${LAST} +rotate/cluster-ca/trust: done`))).toBe(
        'SIGKILL',
      );
      await rotate('cluster-ca', '--until', 'restart');
      await refresh();
      expect(await killedAt('cluster-ca', /cp1 +rotate\/cluster-ca\/issue: done/)).toBe('SIGKILL');
      await rotate('cluster-ca', '--until', 'verify');
      await refresh();
      await rotate('cluster-ca');
    });
    console.log(`cluster CA: ${failed} of ${made} writes failed`);
    expect(failed / made).toBeLessThan(0.001);

    for (const node of HOSTS) {
      expect(await fingerprint(lab, node)).not.toBe(before);
      const line = oldCa.split('\n')[8] ?? '';
      const found = await onNode(
        lab,
        node,
        `grep -rlF '${line}' /etc/kubernetes /var/lib/kubelet/pki /var/lib/keelson || true`,
      );
      expect(found).toBe('');
      const embedded = Buffer.from(oldCa).toString('base64').slice(400, 460);
      expect(await onNode(lab, node, `grep -rlF '${embedded}' /etc/kubernetes || true`)).toBe('');
    }
    const [server] = /https:\/\/\S+/.exec(readFileSync(old, 'utf8')) ?? [''];
    const asOld = await execa(
      join(WORK, '.keelson', 'bin', 'kubectl'),
      ['--kubeconfig', old, '--insecure-skip-tls-verify', 'get', 'nodes'],
      { reject: false },
    );
    expect(`${asOld.stdout}${asOld.stderr}`, server).toMatch(/Unauthorized|logged in/);
    expect(await drift(lab)).toEqual([]);
    for (const pod of (
      await kubectl(lab, 'get', 'pods', '-n', 'kube-system', '-l', 'k8s-app=kube-proxy', '-o', 'name')
    ).split('\n'))
      expect(await kubectl(lab, 'logs', '-n', 'kube-system', '--tail', '1', pod)).not.toBe('');
  });

  it('no write that was acknowledged is lost', async () => {
    const written = await writer.stop();
    console.log(`${written.acknowledged.length} writes acknowledged, longest gap ${written.longestGapMs} ms`);
    expect(await lostWrites(lab, 'rotate', written)).toEqual([]);
  });
});
