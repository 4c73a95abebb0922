import { parseAllDocuments } from 'yaml';
import { type Bundle, bundleFor, filesForRole, imagesForRole } from '../bundle/bundle.js';
import type { Architecture } from '../bundle/lock.js';
import { qualifiedReference } from '../bundle/registry/reference.js';
import { firstControlPlane, presentHosts } from '../config/inventory.js';
import type { ClusterConfig, Role } from '../config/types.js';
import { corednsObjects } from '../manifests/coredns.js';
import { flannelObjects } from '../manifests/flannel.js';
import { pauseImage } from '../manifests/image-names.js';
import { kubeProxyObjects } from '../manifests/kube-proxy.js';
import { renderStaticPods } from '../manifests/render.js';
import { hostTools } from '../phases/host-tools.js';
import { type Rendering, rendering } from './addons/rendering.js';
import { patchesOf } from './patches.js';
import { addonObjects, networkObjects } from './user-objects.js';

/** Something that a cluster file needs and a bundle lacks. */
export interface Lacking {
  kind: 'version' | 'architecture' | 'program' | 'image' | 'host package';
  /** Version, architecture, name of a program or package, or reference of an image. */
  name: string;
  /** Hosts and manifests that need it. */
  neededBy: readonly string[];
}

/** A container runtime and a kubelet; what only nodes have comes on top. */
const RUNTIME = ['kubelet', 'containerd', 'containerd-shim-runc-v2', 'ctr', 'runc'];
const NODE = [...RUNTIME, 'kubeadm', 'kubectl', 'loopback'];
/** Plugins that flannel's own delegates to. */
const FLANNEL = ['flannel', 'bridge', 'host-local', 'portmap'];

/**
 * What an installation of this cluster without any network would miss: every image that a manifest of it
 * mentions, every program of its hosts' roles, the version, the architecture of hosts that state theirs, and where
 * `spec.preparation.packages` is `install` the packages that a host may lack, for each distribution that the bundle
 * has any for. Hosts that state no architecture have the bundle's main one.
 * @param options.cacheDir keelson's cache, for charts and the programs that render them
 * @throws CONFIG for patches that do not apply and manifests that can't be read
 */
export async function lackingFor(
  config: ClusterConfig,
  bundle: Bundle,
  {
    signal = new AbortController().signal,
    cacheDir,
    note = () => undefined,
  }: { signal?: AbortSignal; cacheDir?: string; note?: (text: string) => void } = {},
): Promise<Lacking[]> {
  const lacking = new Map<string, Lacking & { neededBy: string[] }>();
  const lacks = (kind: Lacking['kind'], name: string, user: string) => {
    const known = lacking.get(`${kind} ${name}`);
    if (known === undefined) lacking.set(`${kind} ${name}`, { kind, name, neededBy: [user] });
    else if (!known.neededBy.includes(user)) known.neededBy.push(user);
  };
  const { kubernetesVersion } = config.cluster;
  if (bundle.lock.kubernetesVersion !== kubernetesVersion)
    lacks('version', kubernetesVersion, config.file ?? config.name);
  for (const host of presentHosts(config)) {
    const own = bundleFor(bundle, host.architecture ?? bundle.lock.architecture);
    if (own === null) {
      lacks('architecture', host.architecture ?? '', host.name);
      continue;
    }
    const programs = new Set(filesForRole(own, host.role).map(({ name }) => name));
    for (const name of programsOf(config, host.role))
      if (!programs.has(name)) lacks('program', name, host.name);
    for (const name of lackingPackages(config, own)) lacks('host package', name, host.name);
  }
  const renderer = rendering({ kubernetesVersion, bundle: () => bundle, cacheDir, note, signal });
  const architectures = new Map<Role, Set<Architecture>>();
  for (const { role, architecture = bundle.lock.architecture } of presentHosts(config))
    architectures.set(role, (architectures.get(role) ?? new Set()).add(architecture));
  for (const { role, reference, user } of await mentionedImages(config, bundle, renderer)) {
    for (const architecture of architectures.get(role) ?? []) {
      const own = bundleFor(bundle, architecture);
      if (own === null) continue;
      const there = imagesForRole(own, role).some(
        (image) => image.reference === qualifiedReference(reference),
      );
      if (!there) lacks('image', reference, user);
    }
  }
  return [...lacking.values()];
}

/** Whether hosts are to install what they lack, and the bundle has no package for some of them. */
export function leavesPackagesToRepositories(config: ClusterConfig, bundle: Bundle): boolean {
  if (config.spec.preparation.packages !== 'install') return false;
  return presentHosts(config).some(
    ({ architecture = bundle.lock.architecture }) =>
      (bundleFor(bundle, architecture)?.lock.hostPackages ?? []).length === 0,
  );
}

/** Packages of every installation of Debian, which a bundle does not carry. */
const ALWAYS_THERE: readonly string[] = ['coreutils', 'findutils', 'mount', 'tar'];

/** `conntrack (debian-12)` for each package that hosts may lack, of distributions that the bundle has others for. */
function lackingPackages({ cluster, spec }: ClusterConfig, { lock }: Bundle): string[] {
  if (spec.preparation.packages !== 'install') return [];
  const { hostPackages = [] } = lock;
  const wanted = new Set(hostTools(cluster.kubernetesVersion).map((tool) => tool.packages.apt));
  return [...new Set(hostPackages.map(({ os }) => os))].flatMap((os) =>
    [...wanted]
      .filter((name) => !ALWAYS_THERE.includes(name))
      .filter((name) => !hostPackages.some((entry) => entry.os === os && entry.name === name))
      .map((name) => `${name} (${os})`),
  );
}

function programsOf(config: ClusterConfig, role: Role): string[] {
  if (role === 'etcd') return RUNTIME;
  return config.spec.network.plugin === 'flannel' ? [...NODE, ...FLANNEL] : NODE;
}

/** Every image that a manifest mentions, with a role of a host that needs it. */
async function mentionedImages(config: ClusterConfig, bundle: Bundle, renderer: Rendering) {
  const mentioned: { role: Role; reference: string; user: string }[] = [];
  const patches = await patchesOf(config);
  for (const host of presentHosts(config)) {
    mentioned.push({ role: host.role, reference: pauseImage(config.cluster), user: host.name });
    const pods = renderStaticPods(config, host, { patches: patches.get(host.name) ?? [] });
    for (const [path, text] of pods) {
      const documents = parseAllDocuments(text).map((document) => document.toJS() as unknown);
      for (const reference of imagesIn(documents))
        mentioned.push({ role: host.role, reference, user: `${host.name}:${path}` });
    }
  }
  const reference = (name: string) =>
    bundle.lock.images.find((image) => image.name === name)?.reference ?? name;
  const addons: [string, unknown][] = [
    ...(config.cluster.proxy.disabled ? [] : [['kube-proxy', kubeProxyObjects(config)] as [string, unknown]]),
    ...(config.cluster.dns.disabled
      ? []
      : [
          [
            'CoreDNS',
            corednsObjects(config, { patches: patches.get(firstControlPlane(config).name) ?? [] }),
          ] as [string, unknown],
        ]),
    ...(config.spec.network.plugin === 'flannel'
      ? [
          [
            'flannel',
            flannelObjects(config, {
              flannel: reference('flannel'),
              cniPlugin: reference('flannel-cni-plugin'),
            }),
          ] as [string, unknown],
        ]
      : []),
    ['the pod network', await networkObjects(config, renderer)],
    ...[...(await addonObjects(config, renderer))].map(([name, objects]): [string, unknown] => [
      `the add-on ${name}`,
      objects,
    ]),
    ['keelson verify', [{ image: reference('agnhost') }]],
  ];
  const roles = new Set(presentHosts(config).map(({ role }) => role));
  roles.delete('etcd');
  for (const [user, objects] of addons)
    for (const image of imagesIn(objects))
      for (const role of roles) mentioned.push({ role, reference: image, user });
  return mentioned;
}

/** Values of every field `image`, however deep. */
function imagesIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(imagesIn);
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, field]) =>
    key === 'image' && typeof field === 'string' ? [field] : imagesIn(field),
  );
}
