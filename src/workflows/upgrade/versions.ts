import type { ClusterClient, KubeObject } from '../../cluster/client.js';
import { memberSettings } from '../../config/inventory.js';
import type { HostReader, ReadResult } from '../../host/types.js';
import { corednsImage, etcdImage, pauseImage } from '../../manifests/image-names.js';
import type { PhaseContext } from '../../phases/context.js';
import { MANIFESTS_DIR } from '../../phases/paths.js';

/** One component: what runs, and what goes with the target. */
export interface ComponentVersion {
  /** Host of the file, or a node that it does not have; '' for what belongs to the cluster. */
  host: string;
  component: string;
  /** null where it could not be found out, or where there is none. */
  current: string | null;
  /** null where an upgrade leaves it as it is. */
  target: string | null;
}

const STATIC_PODS = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler'] as const;
const manifestOf = (component: string) => `${MANIFESTS_DIR}/${component}.yaml`;

const PROBES = {
  kubelet: 'kubelet --version 2>/dev/null; true',
  containerd: 'containerd --version 2>/dev/null; true',
  runc: 'runc --version 2>/dev/null | head -n 1; true',
  pause: "grep -m1 -oE 'pause:[A-Za-z0-9._-]+' /etc/containerd/config.toml 2>/dev/null; true",
};

/** `3.6.8-0` of `registry.k8s.io/etcd:3.6.8-0`. */
export function tagOf(image: string): string {
  return image.replace(/@.*$/, '').split(':').at(-1) ?? image;
}

function imageIn(seen: ReadResult, component: string): string | null {
  const text = seen.files.get(manifestOf(component))?.content?.toString();
  const image = /^\s*image:\s*["']?([^\s"']+)/m.exec(text ?? '')?.[1];
  return image === undefined ? null : tagOf(image);
}

/** Versions of everything on one host, in one round trip. */
export async function hostVersions(
  context: PhaseContext,
  reader: HostReader,
  name: string,
): Promise<ComponentVersion[]> {
  const host = context.hostNamed(name);
  const { cluster } = context.config;
  const seen = await reader.read(
    { files: STATIC_PODS.map(manifestOf), probes: PROBES },
    { signal: context.signal },
  );
  const said = (probe: string) => seen.probes.get(probe)?.stdout.trim() ?? '';
  const version = (probe: string) => {
    const found = /\bv?(\d+\.\d+\.\d+\S*)/.exec(said(probe))?.[1];
    return found === undefined ? null : `v${found}`;
  };
  const part = (component: string, current: string | null, target: string | null) => ({
    host: name,
    component,
    current,
    target,
  });
  const kubernetes = cluster.kubernetesVersion;
  const component = (wanted: string) =>
    context.bundle.lock.components.find((candidate) => candidate.name === wanted)?.version ?? null;
  const pods = STATIC_PODS.filter((pod) =>
    pod === 'etcd' ? memberSettings(cluster, host) !== undefined : host.role === 'control-plane',
  );
  return [
    ...pods.map((pod) =>
      part(pod, imageIn(seen, pod), pod === 'etcd' ? tagOf(etcdImage(cluster)) : kubernetes),
    ),
    part('kubelet', version('kubelet'), kubernetes),
    part('containerd', version('containerd'), component('containerd')),
    part('runc', version('runc'), component('runc')),
    part('pause', said('pause') === '' ? null : tagOf(said('pause')), tagOf(pauseImage(cluster))),
  ];
}

interface PodTemplate {
  spec?: { template?: { spec?: { containers?: { image?: string }[] } } };
}

async function workloadImage(client: ClusterClient, kind: string, namespace: string, name: string) {
  const found = (await client.get({ apiVersion: 'apps/v1', kind, namespace, name })) as
    | (KubeObject & PodTemplate)
    | null;
  const image = found?.spec?.template?.spec?.containers?.[0]?.image;
  return image === undefined ? null : tagOf(image);
}

/** Versions of the add-ons that run in the cluster. */
export async function addonVersions(
  context: PhaseContext,
  client: ClusterClient,
): Promise<ComponentVersion[]> {
  const { config, bundle } = context;
  const { cluster } = config;
  const bundled = (name: string) => {
    const image = bundle.lock.images.find((candidate) => candidate.name === name);
    return image === undefined ? null : tagOf(image.reference);
  };
  const flannel = config.spec.network.plugin === 'flannel';
  const [proxy, dns, network] = await Promise.all([
    cluster.proxy.disabled === true ? null : workloadImage(client, 'DaemonSet', 'kube-system', 'kube-proxy'),
    cluster.dns.disabled === true ? null : workloadImage(client, 'Deployment', 'kube-system', 'coredns'),
    flannel ? workloadImage(client, 'DaemonSet', 'kube-flannel', 'kube-flannel-ds') : null,
  ]);
  const addon = (component: string, current: string | null, target: string | null) => ({
    host: '',
    component,
    current,
    target,
  });
  return [
    ...(cluster.proxy.disabled === true ? [] : [addon('kube-proxy', proxy, cluster.kubernetesVersion)]),
    ...(cluster.dns.disabled === true ? [] : [addon('coredns', dns, tagOf(corednsImage(cluster)))]),
    ...(flannel ? [addon('flannel', network, bundled('flannel'))] : []),
  ];
}

/** The version that the cluster was last brought to as a whole, as the ConfigMap kubeadm-config has it. */
export async function clusterVersion(client: ClusterClient): Promise<string | null> {
  const found = await client.get({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    namespace: 'kube-system',
    name: 'kubeadm-config',
  });
  const text = (found?.data as { ClusterConfiguration?: string } | undefined)?.ClusterConfiguration ?? '';
  return /^kubernetesVersion:\s*["']?(v[^\s"']+)/m.exec(text)?.[1] ?? null;
}
