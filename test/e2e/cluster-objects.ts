import { readFileSync } from 'node:fs';
import { CONTROL_PLANE_KUBECTL, type E2eLab, onNode, succeed } from './support.js';

const KINDS = [
  'configmaps',
  'serviceaccounts',
  'services',
  'daemonsets.apps',
  'deployments.apps',
  'roles.rbac.authorization.k8s.io',
  'rolebindings.rbac.authorization.k8s.io',
];
const CLUSTER_KINDS = [
  'clusterroles.rbac.authorization.k8s.io',
  'clusterrolebindings.rbac.authorization.k8s.io',
  'nodes',
];

interface KubeObject {
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  spec?: Record<string, unknown>;
  data?: Record<string, string>;
  [key: string]: unknown;
}

/** Phases that bring a machine to where kubeadm expects it. */
const PROVISION = ['host/prepare', 'runtime/containerd', 'kubelet/install', 'kubelet/tools', 'images'];

/** Brings the machines of a lab to where kubeadm expects them, and makes a cluster of them with it. */
export async function kubeadmCluster(lab: E2eLab): Promise<void> {
  for (const phase of PROVISION) await succeed('phase', 'run', phase, '-c', lab.clusterFile);
  const documents = readFileSync(lab.clusterFile, 'utf8')
    .split(/^---$/m)
    .filter((text) => !text.includes('keelson.dev/'));
  const flags = '--ignore-preflight-errors=SystemVerification';
  const file = Buffer.from(documents.join('---\n')).toString('base64');
  await onNode(
    lab,
    'cp1',
    `echo ${file} | base64 -d > /root/kubeadm.yaml && kubeadm init --config /root/kubeadm.yaml ${flags}`,
  );
  const join = await onNode(lab, 'cp1', 'kubeadm token create --print-join-command');
  await onNode(lab, 'w1', `${join.trim()} ${flags}`);
}

/** What kubeadm has made is gone from these machines. */
export async function kubeadmReset(lab: E2eLab, nodes: readonly string[]): Promise<void> {
  await Promise.all(nodes.map((node) => onNode(lab, node, 'kubeadm reset -f && rm -rf /etc/cni/net.d/*')));
}

/** Normalised objects by kind, namespace and name. */
export async function dump(lab: E2eLab): Promise<Map<string, unknown>> {
  const get = async (kinds: readonly string[], scope: string) => {
    const text = await onNode(lab, 'cp1', `${CONTROL_PLANE_KUBECTL} get ${kinds.join(',')} ${scope} -o json`);
    return (JSON.parse(text) as { items: KubeObject[] }).items;
  };
  const lists = await Promise.all([
    get(KINDS, '-n kube-system'),
    get(KINDS, '-n kube-public'),
    get(CLUSTER_KINDS, ''),
  ]);
  const objects = new Map<string, unknown>();
  for (const object of lists.flat()) {
    const { kind, metadata } = object;
    // kubeadm installs no network; flannel is keelson's.
    if (metadata.name.includes('flannel')) continue;
    objects.set(`${kind} ${metadata.namespace ?? ''}/${metadata.name}`, normalised(object));
  }
  return objects;
}

/** Without what the server, controllers and each cluster's own CA add. */
function normalised(object: KubeObject): unknown {
  const { metadata, status: _status, ...rest } = object;
  const annotations = Object.fromEntries(
    Object.entries(metadata.annotations ?? {}).filter(
      ([key]) => !/^(deployment|deprecated\.daemonset|flannel|node|csi|volumes)\./.test(key),
    ),
  );
  const spec = object.kind === 'Node' ? nodeSpec(rest.spec) : rest.spec;
  const data = object.data === undefined ? undefined : dataOf(object.data);
  return { ...rest, spec, data, metadata: { labels: metadata.labels ?? {}, annotations } };
}

/** Taints of nodes that have no network yet come and go. */
function nodeSpec(spec: KubeObject['spec']): unknown {
  const taints = (spec?.taints ?? []) as { key: string }[];
  return { taints: taints.filter((taint) => !taint.key.startsWith('node.kubernetes.io/')) };
}

function dataOf(data: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(data)
      .filter(([key]) => !key.startsWith('jws-kubeconfig-'))
      .map(([key, value]) => [
        key,
        value
          .replace(/certificate-authority-data: \S+/g, 'certificate-authority-data: CA')
          .replace(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g, 'CA'),
      ]),
  );
}
