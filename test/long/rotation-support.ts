import { readFileSync, writeFileSync } from 'node:fs';
import { type E2eLab, keelson, onNode, succeed } from '../e2e/support.js';

const ENCRYPTION = '/etc/kubernetes/enc';
/** Name of the key at rest that clusters begin with. */
export const FIRST_KEY = 'first';
/** Everything that can be rotated, in the order of `all`. */
export const KINDS = ['cluster-ca', 'etcd-ca', 'front-proxy-ca', 'sa', 'encryption-key'] as const;

/**
 * Before the first apply: every control plane gets the same key at rest, and kubelets ask the cluster for their
 * certificates.
 */
export async function prepareRotation(lab: E2eLab, planes: readonly string[]): Promise<void> {
  const key = Buffer.alloc(32, 'keelson').toString('base64');
  const text = `apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
  - resources: [secrets]
    providers: [{aescbc: {keys: [{name: ${FIRST_KEY}, secret: ${key}}]}}, {identity: {}}]
`;
  const base64 = Buffer.from(text).toString('base64');
  for (const plane of planes)
    await onNode(
      lab,
      plane,
      `mkdir -p -m 700 ${ENCRYPTION}; umask 077; echo ${base64} | base64 -d > ${ENCRYPTION}/enc.yaml`,
    );
  const apiServer = `apiServer:
  extraArgs: [{name: encryption-provider-config, value: ${ENCRYPTION}/enc.yaml}]
  extraVolumes: [{name: enc, hostPath: ${ENCRYPTION}, mountPath: ${ENCRYPTION}, readOnly: true, pathType: Directory}]`;
  const file = readFileSync(lab.clusterFile, 'utf8')
    .replace(/^kind: ClusterConfiguration$/m, `$&\n${apiServer}`)
    .replace(/^kind: KubeletConfiguration$/m, '$&\nserverTLSBootstrap: true');
  writeFileSync(lab.clusterFile, file);
}

const LEAVES: Readonly<Record<string, readonly string[]>> = {
  'ca.crt': ['apiserver.crt', 'apiserver-kubelet-client.crt'],
  'etcd/ca.crt': [
    'etcd/server.crt',
    'etcd/peer.crt',
    'etcd/healthcheck-client.crt',
    'apiserver-etcd-client.crt',
  ],
  'front-proxy-ca.crt': ['front-proxy-client.crt'],
};
const KUBELET = ['client', 'server'].map((kind) => `/var/lib/kubelet/pki/kubelet-${kind}-current.pem`);
const CONFS = ['admin', 'super-admin', 'controller-manager', 'scheduler'];

/**
 * `openssl verify -x509_strict` of every leaf of a host, those in kubeconfigs and the kubelet's among them, each with
 * its authority's file. Throws where one is refused.
 * @param root of the organisation, where the cluster's CA is an intermediate one: its file on the host
 * @returns how many were verified
 */
export async function verifyStrictly(lab: E2eLab, node: string, root?: string): Promise<number> {
  const trust = (ca: string) =>
    root === undefined || ca !== 'ca.crt' ? `-CAfile ${ca}` : `-CAfile ${root} -untrusted ${ca}`;
  const lines = Object.entries(LEAVES).flatMap(([ca, leaves]) =>
    leaves.map((leaf) => `[ ! -e ${leaf} ] || openssl verify -x509_strict ${trust(ca)} ${leaf}`),
  );
  const embedded = CONFS.map(
    (name) => `[ ! -e ../${name}.conf ] ||
sed -n 's/.*client-certificate-data: *//p' ../${name}.conf | base64 -d | openssl verify -x509_strict ${trust('ca.crt')}`,
  );
  const kubelet = KUBELET.map(
    (file) => `[ ! -e ${file} ] || openssl verify -x509_strict ${trust('ca.crt')} ${file}`,
  );
  const script = ['set -e', 'cd /etc/kubernetes/pki', ...lines, ...embedded, ...kubelet].join('\n');
  return (await onNode(lab, node, script)).split('\n').filter((line) => line.endsWith(': OK')).length;
}

interface ProgressEvent {
  type: string;
  phase?: string;
  host?: string;
  for?: string;
  text?: string;
}

/** Where a rotation can be told to be: hosts begin, wait and end in each step. */
function checkpointOf(event: ProgressEvent, working: ReadonlySet<string>): string | null {
  const { type, phase = '', host = '', text = '' } = event;
  if (type === 'note') return / is kept on the control planes$/.test(text) ? text : null;
  if (type === 'task-started' || type === 'task-finished') return `${phase} ${host}: ${type.slice(5)}`;
  if (type !== 'waiting' || event.for === 'everything to be healthy') return null;
  // Waiting is told under the name of whoever waits.
  const within = [...working].find((task) => task.endsWith(` ${host}`)) ?? [...working][0];
  return within === undefined ? null : `${within}: waiting`;
}

/**
 * Runs a command again and again, and kills it (SIGKILL) wherever its progress says that it has come to somewhere
 * where it was not killed before, until it ends by itself.
 * @returns where it was killed
 */
export async function killedEverywhere(args: readonly string[]): Promise<string[]> {
  const killedAt = new Set<string>();
  for (;;) {
    const run = keelson([...args, '--log-format', 'json']);
    const working = new Set<string>();
    let killed = false;
    let rest = '';
    run.stderr.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (killed || !line.startsWith('{')) continue;
        const event = JSON.parse(line) as ProgressEvent;
        const at = checkpointOf(event, working);
        const task = `${event.phase} ${event.host}`;
        if (event.type === 'task-started') working.add(task);
        if (event.type === 'task-finished') working.delete(task);
        if (at === null || killedAt.has(at)) continue;
        killedAt.add(at);
        killed = true;
        run.kill('SIGKILL');
      }
    });
    const { exitCode, stderr } = await run;
    if (killed) continue;
    if (exitCode !== 0) throw new Error(`keelson ${args.join(' ')} exited with ${exitCode}\n${stderr}`);
    return [...killedAt];
  }
}

/** sha256 of the files on a host that say whom to trust, and with which key to sign and to encrypt. */
export const trustOf = (lab: E2eLab, node: string): Promise<string> =>
  onNode(
    lab,
    node,
    `cd /etc/kubernetes && for file in pki/ca.crt pki/ca.key pki/etcd/ca.crt pki/etcd/ca.key pki/front-proxy-ca.crt \
pki/front-proxy-ca.key pki/sa.key pki/sa.pub enc/enc.yaml; do [ ! -e $file ] || sha256sum $file; done`,
  );

/** A rotation step by step, as an operator runs it. */
export const rotateTo = (lab: E2eLab, what: string, ...more: string[]): Promise<string> =>
  succeed('certs', 'rotate', what, '--yes', '-c', lab.clusterFile, ...more);
