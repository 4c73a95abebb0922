import type { Arg, ClusterConfig, ResolvedHost, Taint } from '../config/types.js';
import { lastArgument, mergeArguments } from './component-arguments.js';
import { isAtLeast, pauseImage } from './image-names.js';
import { clusterKubeletConfiguration, type KubeletSurroundings } from './kubelet-configuration.js';
import { applyPatches, type PatchFile } from './patches.js';
import { stringifyYaml } from './yaml.js';

const DIRECTORY = '/var/lib/kubelet';
export const KUBELET_CONFIG_PATH = `${DIRECTORY}/config.yaml`;
export const KUBELET_FLAGS_PATH = `${DIRECTORY}/kubeadm-flags.env`;
export const KUBELET_INSTANCE_CONFIG_PATH = `${DIRECTORY}/instance-config.yaml`;

export interface KubeletHostOptions extends KubeletSurroundings {
  /** The host's own name as `hostname` prints it; where it differs from the node's name, a flag says so. */
  hostname?: string;
  /**
   * Address that the kubelet would choose by itself: that of the default route, null where there is none. Where it
   * is not the host's nodeIP, a flag says so.
   */
  defaultAddress?: string | null;
  patches?: readonly PatchFile[];
}

/** Since 1.34 the CRI socket is in instance-config.yaml and not among the flags; 1.36 locks that. */
function hasInstanceConfiguration(config: ClusterConfig): boolean {
  return config.cluster.featureGates?.NodeLocalCRISocket ?? true;
}

/** /var/lib/kubelet/instance-config.yaml, or null where the feature gate NodeLocalCRISocket is off. */
export function kubeletInstanceConfig(config: ClusterConfig, host: ResolvedHost): string | null {
  if (!hasInstanceConfiguration(config)) return null;
  return `containerRuntimeEndpoint: ${JSON.stringify(host.nodeRegistration.criSocket)}\n`;
}

/**
 * /var/lib/kubelet/config.yaml: the cluster's configuration, the host's patches, then its CRI socket.
 * @throws KeelsonError CONFIG naming the patch file that does not apply
 */
export function kubeletConfigFile(
  config: ClusterConfig,
  host: ResolvedHost,
  options: KubeletHostOptions = {},
): string {
  const patched = applyPatches(
    'kubeletconfiguration',
    clusterKubeletConfiguration(config, options),
    options.patches ?? [],
  );
  if (!hasInstanceConfiguration(config)) return stringifyYaml(patched);
  return stringifyYaml({ ...patched, containerRuntimeEndpoint: host.nodeRegistration.criSocket });
}

/** Name of the node: hostname-override among the kubelet's arguments, else nodeRegistration.name. */
export function nodeName(host: ResolvedHost): string {
  const { kubeletExtraArgs, name } = host.nodeRegistration;
  return lastArgument(kubeletExtraArgs, 'hostname-override') ?? name;
}

/** /var/lib/kubelet/kubeadm-flags.env, which the unit's drop-in reads. Workers register with their taints. */
export function kubeletFlagsFile(
  config: ClusterConfig,
  host: ResolvedHost,
  options: KubeletHostOptions = {},
): string {
  const { criSocket, taints = [], kubeletExtraArgs } = host.nodeRegistration;
  const name = nodeName(host);
  const hostname = options.hostname?.trim().toLowerCase() ?? name;
  const defaults: Arg[] = [];
  if (!hasInstanceConfiguration(config))
    defaults.push({ name: 'container-runtime-endpoint', value: criSocket });
  // Kubelets of 1.35 and newer ask the runtime which image that is.
  if (!isAtLeast(config.cluster.kubernetesVersion, '1.35'))
    defaults.push({ name: 'pod-infra-container-image', value: pauseImage(config.cluster) });
  if (host.role === 'worker' && taints.length > 0) {
    defaults.push({ name: 'register-with-taints', value: taints.map(taintText).join(',') });
  }
  if (name !== hostname) defaults.push({ name: 'hostname-override', value: name });
  if (options.defaultAddress !== undefined && options.defaultAddress !== host.nodeIP)
    defaults.push({ name: 'node-ip', value: host.nodeIP });
  return `KUBELET_KUBEADM_ARGS=${JSON.stringify(mergeArguments(defaults, kubeletExtraArgs).join(' '))}\n`;
}

/** `key=value:effect`, or `key:effect` where there is no value. */
export function taintText({ key, value, effect }: Taint): string {
  return value ? `${key}=${value}:${effect}` : `${key}:${effect}`;
}
