import { imageByName } from '../../bundle/bundle.js';
import type { KubeObject } from '../../cluster/client.js';
import { firstControlPlane } from '../../config/inventory.js';
import { corednsObjects } from '../../manifests/coredns.js';
import { flannelObjects } from '../../manifests/flannel.js';
import { kubeProxyObjects } from '../../manifests/kube-proxy.js';
import { accessObjects, kubeadmConfigMap } from '../../manifests/kubeadm-config.js';
import { kubeletConfigMap } from '../../manifests/kubelet-configuration.js';
import { ADDON_IMAGES, ADDONS, API, ENDPOINT, JOIN_RIGHTS, NETWORK, NETWORK_APPLIED } from '../artefacts.js';
import type { PhaseContext } from '../context.js';
import { objectsPhase } from '../objects-phase.js';

const asObjects = (objects: readonly unknown[]) => objects as KubeObject[];

const isAboutConfig = (object: KubeObject) =>
  /^kubeadm:(nodes-kubeadm-config|kubelet-config)$/.test(object.metadata.name);

export const uploadConfig = objectsPhase({
  name: 'upload-config',
  summary: 'ConfigMaps kubeadm-config and kubelet-config, readable for joining nodes',
  needs: [API, ENDPOINT],
  provides: [],
  objects: ({ config }) =>
    asObjects([
      kubeadmConfigMap(config),
      kubeletConfigMap(config),
      ...asObjects(accessObjects(config)).filter(isAboutConfig),
    ]),
});

export const bootstrapRights = objectsPhase({
  name: 'bootstrap-token/rights',
  summary: 'what bootstrap tokens, nodes and the cluster’s admins may do',
  needs: [API],
  provides: [JOIN_RIGHTS],
  objects: ({ config }) => asObjects(accessObjects(config)).filter((object) => !isAboutConfig(object)),
});

export const kubeProxy = objectsPhase({
  name: 'addon/kube-proxy',
  summary: 'kube-proxy on every node',
  needs: [API, ENDPOINT, ADDON_IMAGES],
  provides: [ADDONS],
  runIf: ({ config }) => config.cluster.proxy.disabled !== true,
  objects: ({ config }) => asObjects(kubeProxyObjects(config)),
});

export const coredns = objectsPhase({
  name: 'addon/coredns',
  summary: 'CoreDNS',
  needs: [API, ADDON_IMAGES],
  after: [NETWORK],
  provides: [ADDONS],
  runIf: ({ config }) => config.cluster.dns.disabled !== true,
  objects: ({ config, patches }) =>
    asObjects(corednsObjects(config, { patches: patches.get(firstControlPlane(config).name) ?? [] })),
});

export const flannel = objectsPhase({
  name: 'network/flannel',
  summary: 'flannel, the pod network',
  needs: [API, ADDON_IMAGES],
  provides: [ADDONS, NETWORK_APPLIED],
  runIf: ({ config }: PhaseContext) => config.spec.network.plugin === 'flannel',
  objects: ({ config, bundle }) =>
    asObjects(
      flannelObjects(config, {
        flannel: imageByName(bundle, 'flannel').reference,
        cniPlugin: imageByName(bundle, 'flannel-cni-plugin').reference,
      }),
    ),
});
