import { bootstrapRights, coredns, flannel, kubeProxy, uploadConfig } from './addons/addons.js';
import { userAddons } from './addons/user.js';
import { certificatePhases } from './certs/certificates.js';
import { externalEtcdClient } from './certs/external-etcd.js';
import type { KeelsonPhase } from './context.js';
import { apiPods, controllerPods } from './control-plane/static-pods.js';
import { haproxy } from './endpoint/haproxy.js';
import { keepalived } from './endpoint/keepalived.js';
import { endpointKubeProxy } from './endpoint/kube-proxy.js';
import { endpointKubelets } from './endpoint/kubelets.js';
import { endpointReach } from './endpoint/reach.js';
import { retireEndpoint } from './endpoint/retire.js';
import { startMember, waitEtcd } from './etcd/hosts.js';
import { joinEtcd } from './etcd/join.js';
import { etcdSnapshots } from './etcd/snapshots.js';
import { certificateTimer } from './host/certificate-timer.js';
import { openFirewall } from './host/firewall.js';
import { hostPackages } from './host/packages.js';
import { prepareHost } from './host/prepare.js';
import { selinuxPermissive } from './host/selinux.js';
import { swapOff } from './host/swap.js';
import { clusterInfo } from './join/cluster-info.js';
import { joinControlPlane, joinWorker } from './join/nodes.js';
import { uploadCerts } from './join/upload-certs.js';
import { kubeletAuthority } from './kubelet/certificate-authority.js';
import { finalizeKubelet } from './kubelet/finalize.js';
import { installKubelet, installTools } from './kubelet/install.js';
import { kubeletServing } from './kubelet/serving.js';
import { startStandaloneKubelet } from './kubelet/standalone.js';
import { startKubelet } from './kubelet/start.js';
import { flannelReady } from './network/flannel.js';
import { networkManifests } from './network/manifest.js';
import { networkPlugin } from './network/plugin.js';
import { retireNetwork } from './network/retire.js';
import { flannelRollout } from './network/rollout.js';
import { labelNodes, markControlPlane } from './nodes/mark.js';
import { containerd } from './runtime/containerd.js';
import { imagePhases } from './runtime/images.js';
import { registries } from './runtime/registries.js';
import { waitControlPlane } from './wait/control-plane.js';
import { waitReady } from './wait/ready.js';

/** Every phase of an apply, providers before those that need them. */
export const APPLY_PHASES: readonly KeelsonPhase[] = [
  hostPackages,
  prepareHost,
  swapOff,
  selinuxPermissive,
  openFirewall,
  haproxy,
  keepalived,
  ...certificatePhases,
  externalEtcdClient,
  containerd,
  registries,
  installKubelet,
  ...imagePhases,
  startStandaloneKubelet,
  startMember,
  waitEtcd,
  ...apiPods,
  startKubelet,
  waitControlPlane,
  endpointReach,
  ...controllerPods,
  uploadConfig,
  bootstrapRights,
  clusterInfo,
  uploadCerts,
  markControlPlane,
  finalizeKubelet,
  networkPlugin,
  kubeProxy,
  flannel,
  networkManifests,
  joinControlPlane,
  joinEtcd,
  joinWorker,
  labelNodes,
  kubeletServing,
  kubeletAuthority,
  endpointKubelets,
  endpointKubeProxy,
  retireEndpoint,
  flannelReady,
  flannelRollout,
  retireNetwork,
  coredns,
  userAddons,
  installTools,
  certificateTimer,
  etcdSnapshots,
  waitReady,
];
