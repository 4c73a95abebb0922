import { memberSettings } from '../../config/inventory.js';
import { quote } from '../../host/quote.js';
import { certificatePaths } from '../../pki/table.js';
import { BOOTSTRAP_KUBELET_CONF, KUBELET_CONF, MANIFESTS_DIR } from '../paths.js';
import {
  defineCheck,
  error,
  linesOf,
  type Outcome,
  ok,
  pathInName,
  type Subject,
  type Target,
  warning,
} from './check.js';

const STATIC_PODS = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'etcd'];
const CNI_DIRECTORY = '/etc/cni/net.d';
/** What flannel's DaemonSet writes there. */
const FLANNEL_CONFLIST = '10-flannel.conflist';

/** Directories that other distributions of Kubernetes leave behind. */
const DISTRIBUTIONS: Readonly<Record<string, string>> = {
  '/etc/rancher': 'k3s or RKE2',
  '/var/lib/rancher': 'k3s or RKE2',
  '/var/lib/k0s': 'k0s',
  '/var/snap/microk8s': 'MicroK8s',
};

/** Files that must not be there before this host is made a node; kubeadm's lists of init and join. */
function filesToBeFree({ host, config, first }: Target): string[] {
  const files = [KUBELET_CONF, BOOTSTRAP_KUBELET_CONF];
  if (host.role !== 'worker') files.push(...STATIC_PODS.map((name) => `${MANIFESTS_DIR}/${name}.yaml`));
  // Given CAs may lie on the first control plane; a host of role etcd has none of the cluster's.
  if (!first && host.role !== 'etcd') files.push(certificatePaths(config.cluster, { baseName: 'ca' }).cert);
  return files;
}

/** Directories that must be empty then; lost+found is no content. */
function directoriesToBeFree({ host, config }: Target): string[] {
  const settings = memberSettings(config.cluster, host);
  return settings === undefined ? [] : [settings.dataDir];
}

export const leftovers = defineCheck({
  id: 'leftovers',
  probes: (target) => ({
    files: `for file in ${quote(filesToBeFree(target))}; do [ -e "$file" ] && printf '%s\\n' "$file"; done`,
    directories: `for dir in ${quote(directoriesToBeFree(target))}; do
  for entry in "$dir"/* "$dir"/.[!.]*; do
    { [ -e "$entry" ] || [ -L "$entry" ]; } && [ "\${entry##*/}" != lost+found ] && { printf '%s\\n' "$dir"; break; }
  done
done`,
  }),
  judge: (subject) => {
    if (subject.member) return [];
    const remedy = `keelson reset --host ${subject.host.name}, if it is not needed any more`;
    const files = new Set(linesOf(subject, 'files'));
    const full = new Set(linesOf(subject, 'directories'));
    return [
      ...filesToBeFree(subject).map((path): Outcome => {
        const name = `FileAvailable-${pathInName(path)}`;
        if (!files.has(path) || isClusterCa(subject, path)) return ok(name, `${path} is free`);
        return error(name, `${path} is there already`, remedy);
      }),
      ...directoriesToBeFree(subject).map((path): Outcome => {
        const name = `DirAvailable-${pathInName(path)}`;
        return full.has(path) ? error(name, `${path} is not empty`, remedy) : ok(name, `${path} is empty`);
      }),
    ];
  },
});

function isClusterCa({ config, standing, clusterCa }: Subject, path: string): boolean {
  const ca = certificatePaths(config.cluster, { baseName: 'ca' }).cert;
  return path === ca && clusterCa !== null && standing.ca === clusterCa;
}

export const otherCluster = defineCheck({
  id: 'other-cluster',
  probes: () => ({
    distributions: `for dir in ${quote(Object.keys(DISTRIBUTIONS))}; do [ -e "$dir" ] && echo "$dir"; done`,
  }),
  judge: (subject) => {
    const { standing, clusterCa, host, first, member } = subject;
    const remedy = `to give that up: keelson reset --host ${host.name}`;
    const outcomes: Outcome[] = linesOf(subject, 'distributions').map((path) =>
      error(
        'OtherCluster',
        `${path} is there: ${DISTRIBUTIONS[path] ?? 'another Kubernetes'}`,
        'uninstall it',
      ),
    );
    if (!first && standing.kubeletCa !== null && !member) {
      const why =
        clusterCa === null
          ? 'this cluster has no CA yet'
          : "its kubelet trusts a CA that is not this cluster's";
      outcomes.push(error('OtherCluster', `the host is a node of another cluster: ${why}`, remedy));
    }
    return outcomes.length > 0 ? outcomes : [ok('OtherCluster', 'no sign of another cluster')];
  },
});

export const cniLeftovers = defineCheck({
  id: 'cni-leftovers',
  probes: () => ({ files: `ls ${CNI_DIRECTORY} 2>/dev/null; true` }),
  judge: (subject) => {
    const { plugin } = subject.config.spec.network;
    if (subject.member || plugin !== 'flannel') return [];
    const name = `DirAvailable-${pathInName(CNI_DIRECTORY)}`;
    const foreign = linesOf(subject, 'files').filter(
      (file) => /\.(?:conf|conflist|json)$/.test(file) && file !== FLANNEL_CONFLIST,
    );
    if (foreign.length === 0) return [ok(name, 'no CNI configuration of others')];
    const remedy = `rm ${foreign.map((file) => `${CNI_DIRECTORY}/${file}`).join(' ')}`;
    // containerd takes the first one by name.
    const wins = foreign.some((file) => file < FLANNEL_CONFLIST);
    const message = `${foreign.join(', ')} in ${CNI_DIRECTORY} ${wins ? "goes before flannel's configuration" : 'is left from another network'}`;
    return [wins ? error(name, message, remedy) : warning(name, message, remedy)];
  },
});
