import { type BuiltComponent, outputOf } from './cache.js';
import type { ImageConfig } from './image.js';
import type { FileContent, LayerEntry } from './layer.js';
import type { BundleRole } from './lock.js';
import type { Release } from './releases.js';

/** Layers that come from Debian packages, ready as tar files. */
type SharedLayer = 'base' | 'net' | 'busybox';

export type LayerSpec = { shared: SharedLayer } | { comment: string; entries: readonly LayerEntry[] };

export interface ImageSpec {
  name: string;
  reference: string;
  roles: readonly BundleRole[];
  config: ImageConfig;
  /** Lowest first. Each binary is a layer of its own, so that an update sends only what is new. */
  layers: readonly LayerSpec[];
}

const CONTROL_PLANE: readonly BundleRole[] = ['control-plane'];
const EVERY_NODE: readonly BundleRole[] = ['control-plane', 'worker'];

/** uid and gid that upstream's CoreDNS image runs as. */
const NONROOT = '65532:65532';

/** Every image of a release; binaries are where the upstream images have them, since the manifests name them. */
export function imageTable(
  kubernetesVersion: string,
  release: Release,
  built: readonly BuiltComponent[],
): ImageSpec[] {
  const binary = (component: string, output: string): FileContent => outputOf(built, component, output);
  const layer = (path: string, content: FileContent, netBindService = false): LayerSpec => ({
    comment: `/${path}`,
    entries: [{ type: 'file', path, mode: 0o755, content, ...(netBindService ? { netBindService } : {}) }],
  });
  const base: LayerSpec = { shared: 'base' };
  const kubernetes = (
    name: string,
    roles: readonly BundleRole[],
    below: readonly LayerSpec[],
  ): ImageSpec => ({
    name,
    reference: `registry.k8s.io/${name}:${kubernetesVersion}`,
    roles,
    config: { entrypoint: [`/usr/local/bin/${name}`] },
    layers: [...below, layer(`usr/local/bin/${name}`, binary('kubernetes', name))],
  });
  return [
    kubernetes('kube-apiserver', CONTROL_PLANE, [base]),
    kubernetes('kube-controller-manager', CONTROL_PLANE, [base]),
    kubernetes('kube-scheduler', CONTROL_PLANE, [base]),
    kubernetes('kube-proxy', EVERY_NODE, [base, { shared: 'net' }]),
    {
      name: 'etcd',
      reference: `registry.k8s.io/etcd:${release.etcd}`,
      roles: CONTROL_PLANE,
      config: { cmd: ['etcd'] },
      layers: [
        base,
        ...['etcd', 'etcdctl', 'etcdutl'].map((name) => layer(`usr/local/bin/${name}`, binary('etcd', name))),
      ],
    },
    {
      name: 'coredns',
      reference: `registry.k8s.io/coredns/coredns:${release.coredns}`,
      roles: EVERY_NODE,
      config: { entrypoint: ['/coredns'], user: NONROOT },
      // The capability lets it bind port 53 without being root, within what the pod's own set allows.
      layers: [base, layer('coredns', binary('coredns', 'coredns'), true)],
    },
    {
      name: 'pause',
      reference: `registry.k8s.io/pause:${release.pause}`,
      roles: EVERY_NODE,
      config: { entrypoint: ['/pause'], user: '65535:65535' },
      layers: [layer('pause', binary('pause', 'pause'))],
    },
    {
      name: 'flannel',
      reference: `ghcr.io/flannel-io/flannel:${release.flannel}`,
      roles: EVERY_NODE,
      config: { entrypoint: ['/opt/bin/flanneld'] },
      layers: [
        base,
        { shared: 'net' },
        { shared: 'busybox' },
        layer('opt/bin/install-conf', binary('flannel', 'install-conf')),
        layer('opt/bin/flanneld', binary('flannel', 'flanneld')),
      ],
    },
    {
      name: 'flannel-cni-plugin',
      reference: `ghcr.io/flannel-io/flannel-cni-plugin:${release.flannelCniPlugin}`,
      roles: EVERY_NODE,
      config: {},
      layers: [base, { shared: 'busybox' }, layer('flannel', binary('cni-plugin-flannel', 'flannel'))],
    },
    {
      name: 'agnhost',
      reference: `registry.k8s.io/e2e-test-images/agnhost:${release.agnhost}`,
      roles: EVERY_NODE,
      config: { entrypoint: ['/agnhost'], cmd: ['pause'] },
      layers: [base, { shared: 'busybox' }, layer('agnhost', binary('kubernetes', 'agnhost'))],
    },
  ];
}
