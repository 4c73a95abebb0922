import type { ClusterConfig, ResolvedHost } from '../config/types.js';
import { certificateTimerFiles } from './certificate-timer.js';
import {
  CONTAINERD_CONFIG,
  CONTAINERD_UNIT_FILE,
  CONTAINERD_UNIT_PATH,
  CRICTL_CONFIG,
  containerdConfig,
  crictlConfig,
} from './containerd.js';
import { type EndpointSurroundings, endpointFiles } from './endpoint/files.js';
import { snapshotFiles } from './etcd-snapshots.js';
import { DEBIAN_CA_DIRECTORIES } from './host-ca-directories.js';
import { MODULES_FILE, modulesLoadFile, SYSCTL_FILE, sysctlFile } from './host-files.js';
import {
  KUBELET_DROP_IN_FILE,
  KUBELET_DROP_IN_PATH,
  KUBELET_UNIT_FILE,
  KUBELET_UNIT_PATH,
} from './kubelet.js';
import {
  KUBELET_CONFIG_PATH,
  KUBELET_FLAGS_PATH,
  KUBELET_INSTANCE_CONFIG_PATH,
  type KubeletHostOptions,
  kubeletConfigFile,
  kubeletFlagsFile,
  kubeletInstanceConfig,
} from './kubelet-node.js';
import {
  ETCD_KUBELET_DROP_IN_FILE,
  ETCD_KUBELET_DROP_IN_PATH,
  standaloneKubeletConfigFile,
} from './kubelet-standalone.js';
import { applyPatches } from './patches.js';
import type { RenderedFile } from './rendered-file.js';
import type { EtcdMembership } from './static-pods/etcd.js';
import type { HostSurroundings } from './static-pods/pod.js';
import { STATIC_POD_DIRECTORY, staticPods } from './static-pods/static-pods.js';
import { stringifyYaml } from './yaml.js';

export type RenderOptions = Partial<HostSurroundings> &
  EtcdMembership &
  KubeletHostOptions &
  EndpointSurroundings;

/**
 * All files of a host that hold no secret, by absolute path, with kubeadm's modes. Certificates, keys and
 * kubeconfigs are the caller's to add.
 * @throws KeelsonError CONFIG, also naming a patch file that does not apply
 */
export function renderHost(
  config: ClusterConfig,
  host: ResolvedHost,
  options: RenderOptions = {},
): Map<string, RenderedFile> {
  const files = new Map<string, RenderedFile>();
  const put = (path: string, content: string, rights: Omit<RenderedFile, 'content'> = { mode: 0o644 }) => {
    files.set(path, { content, ...rights });
  };

  put(MODULES_FILE, modulesLoadFile());
  put(SYSCTL_FILE, sysctlFile(config));
  put(CONTAINERD_CONFIG, containerdConfig(config));
  put(CONTAINERD_UNIT_PATH, CONTAINERD_UNIT_FILE);
  put(CRICTL_CONFIG, crictlConfig(host.nodeRegistration.criSocket));

  for (const [path, file] of endpointFiles(config, host, options)) files.set(path, file);
  for (const [path, file] of snapshotFiles(config, host)) files.set(path, file);

  for (const [path, file] of certificateTimerFiles(config)) files.set(path, file);

  put(KUBELET_UNIT_PATH, KUBELET_UNIT_FILE);
  const inKubelet = { mode: 0o644, dirMode: 0o700 };
  if (host.role === 'etcd') {
    put(ETCD_KUBELET_DROP_IN_PATH, ETCD_KUBELET_DROP_IN_FILE);
    put(KUBELET_CONFIG_PATH, standaloneKubeletConfigFile(config, host, options), inKubelet);
  } else {
    put(KUBELET_DROP_IN_PATH, KUBELET_DROP_IN_FILE);
    put(KUBELET_CONFIG_PATH, kubeletConfigFile(config, host, options), inKubelet);
    put(KUBELET_FLAGS_PATH, kubeletFlagsFile(config, host, options), inKubelet);
    const instance = kubeletInstanceConfig(config, host);
    if (instance !== null) put(KUBELET_INSTANCE_CONFIG_PATH, instance, inKubelet);
  }

  for (const [path, content] of renderStaticPods(config, host, options)) {
    put(path, content, { mode: 0o600, dirMode: 0o700 });
  }
  return files;
}

/** Manifests of the host's static pods by path, patched; none for a worker. */
export function renderStaticPods(
  config: ClusterConfig,
  host: ResolvedHost,
  options: RenderOptions = {},
): Map<string, string> {
  if (host.role === 'worker') return new Map();
  const surroundings = { ...options, caDirectories: options.caDirectories ?? DEBIAN_CA_DIRECTORIES };
  const manifests = new Map<string, string>();
  for (const [name, pod] of staticPods(config, host, surroundings)) {
    const patched = applyPatches(name, pod, options.patches ?? []);
    manifests.set(`${STATIC_POD_DIRECTORY}/${name}.yaml`, stringifyYaml(patched));
  }
  return manifests;
}
