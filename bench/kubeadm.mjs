// The peer: kubeadm by a careful script. One ssh ControlMaster a node; all nodes provisioned at once by one tar
// each; kubeadm init as soon as its own node is provisioned; flannel's manifest and all workers' joins at once after
// it. Further control planes join one by one, with certificates that init uploaded: etcd takes one learner at a time.
import { spawn } from 'node:child_process';
import { appendFile, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { built } from './dist.mjs';
import { CERTIFICATE_KEY, NODE_DIRECTORY, TOKEN } from './payload.mjs';

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
  const controls = await mkdtemp(join(tmpdir(), 'bench-ssh-'));
  const { sshArgv } = await built('lab/ssh.js');
  const milestones = {};
  const reached = (name) => {
    milestones[name] = Math.round(performance.now() - since);
  };

  const ssh = (node, options, stdio, abort = signal) => {
    const [program, ...rest] = sshArgv(labDirectory, node);
    // The quickest cipher of the list, which keelson's own SSH client would choose too.
    const common = ['-o', `ControlPath=${controls}/${node.name}`, '-o', 'Ciphers=aes128-gcm@openssh.com'];
    return run(program, [...common, ...rest, ...options], {
      stdio,
      signal: abort ?? undefined,
      log,
      name: node.name,
    });
  };
  const connect = (node) => ssh(node, ['-M', '-N', '-f'], 'ignore');
  const onNode = (node, command, stdin = 'ignore') => ssh(node, ['--', command], [stdin, 'pipe', 'pipe']);
  const provision = async (node) => {
    await connect(node);
    const payload = await open(payloads[node.role]);
    try {
      await onNode(node, PROVISION, payload.fd);
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
      const hash = await onNode(first, init(planes.length > 0 ? '--upload-certs' : ''));
      reached('init');
      return hash.trim();
    });
    const join = async (node, flags = '') => {
      const [hash] = await Promise.all([initialised, provisioned.get(node)]);
      await onNode(
        node,
        `kubeadm join ${endpoint ?? `${first.address}:6443`} --token ${TOKEN} --discovery-token-ca-cert-hash sha256:${hash} ${flags} ${IGNORE} >&2`,
      );
    };
    const joinPlanes = async () => {
      for (const node of planes) await join(node, `--control-plane --certificate-key ${CERTIFICATE_KEY}`);
    };
    await Promise.all([
      all,
      initialised.then(() => onNode(first, FLANNEL)),
      joinPlanes(),
      ...workers.map((node) => join(node)),
    ]);
    reached('returned');
    return milestones;
  } finally {
    const leave = (node) => ssh(node, ['-O', 'exit'], 'ignore', null).catch(() => undefined);
    await Promise.all(nodes.map(leave));
    await rm(controls, { recursive: true, force: true });
  }
}

/** Runs a program; returns its stdout. Its stderr, and a failure, go to the log. */
function run(program, args, { stdio, signal, log, name }) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio, signal });
    const out = [];
    const err = [];
    child.stdout?.on('data', (chunk) => out.push(chunk));
    child.stderr?.on('data', (chunk) => err.push(chunk));
    child.once('error', reject);
    child.once('close', (code) => {
      const said = Buffer.concat(err).toString();
      const done = () =>
        code === 0
          ? resolve(Buffer.concat(out).toString())
          : reject(new Error(`${name}: ssh exited with ${code}\n${said.slice(-2000)}`));
      appendFile(log, `--- ${name}: exit ${code}\n${said}`).then(done, reject);
    });
  });
}
