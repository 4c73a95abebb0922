import { bootstrapRights, coredns, flannel, kubeProxy, uploadConfig } from '../../phases/addons/addons.js';
import type { KeelsonPhase } from '../../phases/context.js';
import { apiPods, controllerPods } from '../../phases/control-plane/static-pods.js';
import { startMember } from '../../phases/etcd/hosts.js';
import { joinEtcd } from '../../phases/etcd/join.js';
import { joinControlPlane, joinWorker } from '../../phases/join/nodes.js';
import { installKubelet, installTools } from '../../phases/kubelet/install.js';
import { startStandaloneKubelet } from '../../phases/kubelet/standalone.js';
import { startKubelet } from '../../phases/kubelet/start.js';
import { containerd } from '../../phases/runtime/containerd.js';
import { imagePhases } from '../../phases/runtime/images.js';

/** Parts of an apply that a version changes, in the order in which an upgrade makes them. */
export const IMAGE_PHASES: readonly KeelsonPhase[] = imagePhases;
export const RUNTIME_PHASES: readonly KeelsonPhase[] = [containerd];
export const STATIC_POD_PHASES: readonly KeelsonPhase[] = [
  startMember,
  ...apiPods,
  joinEtcd,
  ...controllerPods,
];
export const KUBELET_PHASES: readonly KeelsonPhase[] = [
  installKubelet,
  startStandaloneKubelet,
  startKubelet,
  joinControlPlane,
  joinWorker,
];
export const ADDON_PHASES: readonly KeelsonPhase[] = [
  bootstrapRights,
  uploadConfig,
  kubeProxy,
  flannel,
  coredns,
];
export const TOOL_PHASES: readonly KeelsonPhase[] = [installTools];

/** Everything that an upgrade may change. */
export const UPGRADE_PHASES: readonly KeelsonPhase[] = [
  ...IMAGE_PHASES,
  ...RUNTIME_PHASES,
  ...STATIC_POD_PHASES,
  ...KUBELET_PHASES,
  ...ADDON_PHASES,
  ...TOOL_PHASES,
];
