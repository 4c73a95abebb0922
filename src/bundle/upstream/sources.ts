import { FILE_TABLE } from '../file-table.js';
import type { Architecture, BundleRole } from '../lock.js';
import type { UpstreamRelease } from './release.js';

/** A file of an official release, and what of it goes to hosts. */
export interface UpstreamFile {
  component: string;
  version: string;
  /** Official address. */
  url: string;
  /** Official address of the checksum: 64 hex digits alone, or lines `<hex>  <name>`. */
  checksumUrl: string;
  /** A signature of Sigstore's and its certificate are published beside it: `<url>.sig`, `<url>.cert`. */
  signed?: true;
  /** Programs by the name that they have in the file table; '' for a file that is the program itself. */
  programs: Readonly<Record<string, string>>;
}

export interface UpstreamImage {
  name: string;
  reference: string;
  roles: readonly BundleRole[];
}

const GITHUB = 'https://github.com';
const KUBERNETES = 'https://dl.k8s.io';

/** Where the newest patch release of a minor version is written: the text is the version. */
export function newestPatchUrl(minor: string): string {
  return `${KUBERNETES}/release/stable-${minor.replace(/^v/, '')}.txt`;
}

/** Every file that hosts need, as the projects release them. */
export function upstreamFiles(
  kubernetesVersion: string,
  release: UpstreamRelease,
  architecture: Architecture,
): UpstreamFile[] {
  const { containerd, runc, cniPlugins, flannelCniPlugin } = release;
  const archive = (
    component: string,
    version: string,
    url: string,
    suffix: string,
    members: (name: string) => string,
  ): UpstreamFile => ({
    component,
    version,
    url,
    checksumUrl: `${url}${suffix}`,
    programs: Object.fromEntries(programsOf(component).map((name) => [name, members(name)])),
  });
  return [
    ...programsOf('kubernetes').map((name): UpstreamFile => {
      const url = `${KUBERNETES}/release/${kubernetesVersion}/bin/linux/${architecture}/${name}`;
      return {
        component: name,
        version: kubernetesVersion,
        url,
        checksumUrl: `${url}.sha256`,
        signed: true,
        programs: { [name]: '' },
      };
    }),
    archive(
      'containerd',
      containerd,
      `${GITHUB}/containerd/containerd/releases/download/${containerd}/containerd-${containerd.slice(1)}-linux-${architecture}.tar.gz`,
      '.sha256sum',
      (name) => `bin/${name}`,
    ),
    {
      component: 'runc',
      version: runc,
      url: `${GITHUB}/opencontainers/runc/releases/download/${runc}/runc.${architecture}`,
      checksumUrl: `${GITHUB}/opencontainers/runc/releases/download/${runc}/runc.sha256sum`,
      programs: { runc: '' },
    },
    archive(
      'cni-plugins',
      cniPlugins,
      `${GITHUB}/containernetworking/plugins/releases/download/${cniPlugins}/cni-plugins-linux-${architecture}-${cniPlugins}.tgz`,
      '.sha256',
      (name) => name,
    ),
    archive(
      'cni-plugin-flannel',
      flannelCniPlugin,
      `${GITHUB}/flannel-io/cni-plugin/releases/download/${flannelCniPlugin}/cni-plugin-flannel-linux-${architecture}-${flannelCniPlugin}.tgz`,
      '.sha256',
      () => `flannel-${architecture}`,
    ),
  ];
}

function programsOf(component: string): string[] {
  return FILE_TABLE.filter((row) => row.component === component).map(({ name }) => name);
}

const CONTROL_PLANE: readonly BundleRole[] = ['control-plane'];
const EVERY_NODE: readonly BundleRole[] = ['control-plane', 'worker'];

/** kubeadm's default repository; only there CoreDNS has a folder of its own. */
const DEFAULT_REPOSITORY = 'registry.k8s.io';

/**
 * Every image of a cluster, by the name that its manifests have for it.
 * @param repository kubeadm's imageRepository
 */
export function upstreamImages(
  kubernetesVersion: string,
  release: UpstreamRelease,
  repository = DEFAULT_REPOSITORY,
): UpstreamImage[] {
  const image = (name: string, reference: string, roles = EVERY_NODE): UpstreamImage => ({
    name,
    reference,
    roles,
  });
  const kubernetes = (name: string, roles?: readonly BundleRole[]) =>
    image(name, `${repository}/${name}:${kubernetesVersion}`, roles);
  const coredns = repository === DEFAULT_REPOSITORY ? `${repository}/coredns` : repository;
  return [
    kubernetes('kube-apiserver', CONTROL_PLANE),
    kubernetes('kube-controller-manager', CONTROL_PLANE),
    kubernetes('kube-scheduler', CONTROL_PLANE),
    kubernetes('kube-proxy'),
    image('etcd', `${repository}/etcd:${release.etcd}`, CONTROL_PLANE),
    image('coredns', `${coredns}/coredns:${release.coredns}`),
    image('pause', `${repository}/pause:${release.pause}`),
    image('flannel', `ghcr.io/flannel-io/flannel:${release.flannel}`),
    image('flannel-cni-plugin', `ghcr.io/flannel-io/flannel-cni-plugin:${release.flannelCniPlugin}`),
    image('agnhost', `registry.k8s.io/e2e-test-images/agnhost:${release.agnhost}`),
  ];
}
