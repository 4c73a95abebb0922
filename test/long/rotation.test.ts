import type { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drift, type E2eLab, keelson, kubectl, labDown, labUp, onNode, succeed } from '../e2e/support.js';
import { identityIn } from './api-client.js';
import {
  answerTo,
  belongsTo,
  certificateFiles,
  certificatesIn,
  etcdObjects,
  presented,
} from './certificates.js';
import { failedShare, type Loaded, startLoad } from './load.js';
import { FIRST_KEY, prepareRotation, verifyStrictly } from './rotation-support.js';
import { figure, SOME_PLANES } from './support.js';

const NAME = 'longrotate';
const several = SOME_PLANES.length > 1;
const WORKERS = several ? ['w1', 'w2'] : ['w1'];
const HOSTS = [...SOME_PLANES, ...WORKERS];
const LAST = SOME_PLANES.at(-1) ?? '';
/** Port of the load balancer that every worker has. */
const PORT = 7443;
/** With a single control plane its API is away whenever its API server restarts. */
const FAILED_SHARE = several ? 0.001 : 0.2;
const ROTATION_MS = 1_200_000;

const PKI = '/etc/kubernetes/pki';
const AUTHORITIES = ['ca.crt', 'etcd/ca.crt', 'front-proxy-ca.crt'];
const KUBELET_KUBECTL = 'kubectl --kubeconfig /etc/kubernetes/kubelet.conf';

/** A node's request for names that are not its own. */
const FORGED = `cd /tmp && openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout forged.key \
-subj /O=system:nodes/CN=system:node:${LAST} -addext subjectAltName=DNS:kubernetes.default.svc -out forged.csr 2>/dev/null
cat > forged.yaml <<EOF
{apiVersion: certificates.k8s.io/v1, kind: CertificateSigningRequest, metadata: {name: forged}, spec: {
 signerName: kubernetes.io/kubelet-serving, usages: [digital signature, server auth], request: $(base64 -w0 forged.csr)}}
EOF
${KUBELET_KUBECTL} create -f forged.yaml`;

/** What an operator, a kubelet, a pod, an API server had before. */
interface Identities {
  admin: { cert: Buffer; key: Buffer };
  kubelet: { cert: string; key: string };
  etcd: { cert: string; key: string };
  token: string;
}

describe('everything rotated under load, control planes and workers', () => {
  let lab: E2eLab;
  let loaded: Loaded;
  let addresses: Map<string, string>;
  let authorities: X509Certificate[];
  let old: Identities;

  beforeAll(async () => {
    lab = await labUp(
      NAME,
      ...['--control-planes', String(SOME_PLANES.length), '--workers', String(WORKERS.length)],
      ...['--endpoint', 'node-local', '--no-cluster'],
    );
    await prepareRotation(lab, SOME_PLANES);
    await succeed('apply', '-c', lab.clusterFile);
    const { nodes } = JSON.parse(await succeed('lab', 'status', '--name', NAME, '-o', 'json')) as {
      nodes: { name: string; address: string }[];
    };
    addresses = new Map(nodes.map(({ name, address }) => [name, address]));
    await throughWorker();
    await kubectl(lab, 'create', 'secret', 'generic', 'kept', '--from-literal', 'answer=42');
    old = await identities();
    authorities = certificatesIn(await onNode(lab, 'cp1', `cd ${PKI} && cat ${AUTHORITIES.join(' ')}`));
  });
  afterAll(() => labDown(NAME));

  const addressOf = (node: string) => addresses.get(node) ?? '';

  /** The lab's kubeconfig goes through the load balancer of the first worker. */
  async function throughWorker(): Promise<void> {
    const file = join(lab.directory, 'fresh.kubeconfig');
    await succeed('kubeconfig', '-c', lab.clusterFile, '--out', file, '--replace');
    const server = `server: https://${addressOf('w1')}:${PORT}\n    tls-server-name: kubernetes`;
    writeFileSync(lab.kubeconfig, readFileSync(file, 'utf8').replace(/server: .*/, server));
  }

  async function identities(): Promise<Identities> {
    const both = async (node: string, path: string) => {
      const pem = await onNode(lab, node, `cat ${path}`);
      return { cert: pem, key: pem };
    };
    const { cert, key } = identityIn(lab.kubeconfig);
    return {
      admin: { cert, key },
      kubelet: await both('w1', '/var/lib/kubelet/pki/kubelet-client-current.pem'),
      etcd: await both('cp1', `${PKI}/etcd/healthcheck-client.crt ${PKI}/etcd/healthcheck-client.key`),
      token: (await kubectl(lab, 'create', 'token', 'default')).trim(),
    };
  }

  /** What the API answers to each of them, and an etcd member to the last; 0 for no answer. */
  async function answers({ admin, kubelet, token, etcd }: Identities) {
    const api = `https://${addressOf('cp1')}:6443/api/v1/nodes/w1`;
    return {
      admin: await answerTo(api, admin),
      kubelet: await answerTo(api, kubelet),
      token: await answerTo(api, { token }),
      etcd: await answerTo(`https://${addressOf('cp1')}:2379/version`, etcd),
    };
  }

  it('begins with certificates of the cluster’s CA for kubelets, and approves no forged request', async () => {
    await onNode(lab, LAST, FORGED);
    const { stderr, exitCode } = await keelson(['apply', '-c', lab.clusterFile]);
    expect(exitCode).toBe(0);
    expect(stderr).toContain('does not have dns:kubernetes.default.svc');
    expect(await kubectl(lab, 'get', 'csr', 'forged', '-o', 'jsonpath={.status.conditions}')).toBe('');
    await kubectl(lab, 'delete', 'csr', 'forged');
    expect(await answers(old)).toEqual({ admin: 200, kubelet: 200, token: 403, etcd: 200 });
    // Five certificates of leaves and kubeconfigs' four are on the first one; a kubelet has two everywhere.
    for (const node of HOSTS) expect(await verifyStrictly(lab, node)).toBeGreaterThanOrEqual(2);
  });

  it('fails no more than one request to the API in a thousand, none between pods, and loses no write', async () => {
    const load = await startLoad(lab, WORKERS);
    const began = performance.now();
    const rotation = await keelson(['certs', 'rotate', 'all', '--yes', '-c', lab.clusterFile], {
      timeoutMs: ROTATION_MS,
    });
    figure('everything rotated under load', performance.now() - began);
    loaded = await load.stop();
    const { api, exec, pods, traffic, lost, acknowledged } = loaded;
    const tallies = Object.entries({ ...api, exec, pods });
    for (const [what, { asked, failures, longestMs }] of tallies)
      process.stdout.write(
        `figure: ${what}: ${failures.length} of ${asked} failed, longest ${longestMs} ms ${failures
          .slice(0, 5)
          .map(({ atMs, why }) => `\n  ${atMs} ms: ${why}`)
          .join('')}\n`,
      );
    process.stdout.write(`figure: between pods: ${JSON.stringify(traffic)}; ${acknowledged} writes\n`);
    expect(rotation.exitCode, rotation.stderr).toBe(0);
    process.stdout.write(`${rotation.stderr.replaceAll(/^.*: waiting for .*\n/gm, '')}\n`);
    expect(failedShare(loaded)).toBeLessThanOrEqual(FAILED_SHARE);
    expect(traffic.flatMap(({ failed }) => failed)).toEqual([]);
    for (const { ok } of traffic) expect(ok).toBeGreaterThan(100);
    expect(lost).toEqual([]);
    if (several) expect(pods.failures).toEqual([]);
  });

  it('leaves nothing of an old authority on any disk', async () => {
    for (const node of HOSTS) {
      const files = await certificateFiles(lab, node);
      expect(files.size).toBeGreaterThan(3);
      const stale = [...files].filter(([, all]) => all.some((one) => belongsTo(one, authorities)));
      expect(stale.map(([path]) => path)).toEqual([]);
    }
  });

  it('leaves nothing of an old authority or key in etcd', async () => {
    const objects = await etcdObjects(lab);
    const stale = objects.filter(({ value }) =>
      certificatesIn(value.toString('latin1')).some((one) => belongsTo(one, authorities)),
    );
    expect(stale.map(({ key }) => key)).toEqual([]);
    const secrets = objects.filter(({ key }) => key.startsWith('/registry/secrets/'));
    expect(secrets.length).toBeGreaterThan(0);
    const prefix = `k8s:enc:aescbc:v1:${FIRST_KEY}:`;
    expect(secrets.filter(({ value }) => value.toString('latin1').startsWith(prefix))).toEqual([]);
    // Encrypted in etcd, they are read through the API.
    const read = JSON.parse(await kubectl(lab, 'get', 'secrets', '-A', '-o', 'json')) as {
      items: { metadata: { name: string }; data?: Record<string, string> }[];
    };
    const holding = read.items.filter(({ data = {} }) =>
      Object.values(data)
        .flatMap((base64) => certificatesIn(Buffer.from(base64, 'base64').toString('latin1')))
        .some((one) => belongsTo(one, authorities)),
    );
    expect(holding.map(({ metadata }) => metadata.name)).toEqual([]);
  });

  it('leaves nothing of an old authority in any handshake', async () => {
    const now = certificatesIn(await onNode(lab, 'cp1', `cd ${PKI} && cat ${AUTHORITIES.join(' ')}`));
    const ports = (node: string) => (SOME_PLANES.includes(node) ? [6443, 2379, 2380, 10250] : [10250]);
    for (const node of HOSTS) {
      for (const port of ports(node)) {
        const shown = await presented(addressOf(node), port);
        expect(belongsTo(shown, authorities), `${node}:${port}`).toBe(false);
        expect(belongsTo(shown, now), `${node}:${port}`).toBe(true);
      }
    }
  });

  it('refuses whoever comes with something old', async () => {
    expect(await answers(old)).toEqual({ admin: 401, kubelet: 401, token: 401, etcd: 0 });
    expect(await answers(await identities())).toEqual({ admin: 200, kubelet: 200, token: 403, etcd: 200 });
  });

  it('leaves nothing to do, and satisfies openssl and kubeadm', async () => {
    expect(await drift(lab)).toEqual([]);
    expect((await keelson(['certs', 'check', '-c', lab.clusterFile])).exitCode).toBe(0);
    for (const node of HOSTS) expect(await verifyStrictly(lab, node)).toBeGreaterThanOrEqual(2);
    expect(await onNode(lab, 'cp1', 'kubeadm certs check-expiration')).not.toMatch(/invalid|MISSING/i);
    await onNode(lab, 'cp1', 'kubeadm certs renew all');
    await verifyStrictly(lab, 'cp1');
  });
});
