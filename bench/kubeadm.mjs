// The peer: kubeadm by a careful script. One ssh ControlMaster a node; all nodes provisioned at once by one tar
// each; kubeadm init as soon as its own node is provisioned; flannel's manifest and all workers' joins at once after
// it. Further control planes join one by one, with certificates that init uploaded: etcd takes one learner at a time.
import { open } from 'node:fs/promises';
import { CERTIFICATE_KEY, NODE_DIRECTORY, TOKEN } from './payload.mjs';
import { openRemote } from './remote.mjs';

const IGNORE = '--ignore-preflight-errors=SystemVerification';

const PROVISION = `set -e
tar -x -f - -C /
sysctl -q -p /etc/sysctl.d/99-kubernetes-cri.conf
swapoff -a || true
systemctl daemon-reload
systemctl enable -q --now containerd
systemctl enable -q kubelet
ctr -n k8s.io images import --local ${NODE_DIRECTORY}/images.tar > /dev/null`;

/** @param flags for further control planes */
const init = (flags) => `set -e
kubeadm init ${flags} --config ${NODE_DIRECTORY}/kubeadm.yaml ${IGNORE} --skip-token-print >&2
openssl x509 -pubkey -noout -in /etc/kubernetes/pki/ca.crt | openssl pkey -pubin -outform der | sha256sum | cut -d ' ' -f 1`;

const FLANNEL = `kubectl --kubeconfig /etc/kubernetes/admin.conf apply -f ${NODE_DIRECTORY}/flannel.yaml >&2`;

/**
 * Makes the cluster. `endpoint` is the controlPlaneEndpoint, or nothing; `payloads` are paths by role; what the nodes' commands say goes to `log`.
 * Returns milestones in milliseconds since `since`.
 */
export async function kubeadmUp({ nodes, endpoint, labDirectory, payloads, log, since, signal }) {
  const remote = await openRemote({ labDirectory, log, signal });
  const milestones = {};
  const reached = (name) => {
    milestones[name] = Math.round(performance.now() - since);
  };

  const provision = async (node) => {
    await remote.connect(node);
    const payload = await open(payloads[node.role]);
    try {
      await remote.onNode(node, PROVISION, payload.fd);
    } finally {
      await payload.close();
    }
  };

  try {
    const first = nodes.find((node) => node.role === 'control-plane');
    const planes = nodes.filter((node) => node.role === 'control-plane' && node !== first);
    const workers = nodes.filter((node) => node.role === 'worker');
    const provisioned = new Map(nodes.map((node) => [node, provision(node)]));
    const all = Promise.all(provisioned.values()).then(() => reached('provisioned'));
    const initialised = provisioned.get(first).then(async () => {
      const hash = await remote.onNode(first, init(planes.length > 0 ? '--upload-certs' : ''));
      reached('init');
      return hash.trim();
    });
    const join = async (node, flags = '') => {
      const [hash] = await Promise.all([initialised, provisioned.get(node)]);
      await remote.onNode(
        node,
        `kubeadm join ${endpoint ?? `${first.address}:6443`} --token ${TOKEN} --discovery-token-ca-cert-hash sha256:${hash} ${flags} ${IGNORE} >&2`,
      );
    };
    const joinPlanes = async () => {
      for (const node of planes) await join(node, `--control-plane --certificate-key ${CERTIFICATE_KEY}`);
    };
    await Promise.all([
      all,
      initialised.then(() => remote.onNode(first, FLANNEL)),
      joinPlanes(),
      ...workers.map((node) => join(node)),
    ]);
    reached('returned');
    return milestones;
  } finally {
    await remote.close(nodes);
  }
}
