import { etcdModuleVersion, type Release } from './releases.js';

/** One `go build`: import paths of main packages, and the names that their binaries get. */
export interface GoBuild {
  packages: Readonly<Record<string, string>>;
  tags?: readonly string[];
  /** Linker flags besides `-s -w -buildid=`. */
  ldflags?: readonly string[];
  /** Static linking against the machine's C library. */
  cgo?: boolean;
}

/** How a component is compiled from its module set, `modules/<name>/<version>/`. */
export interface GoRecipe {
  name: string;
  version: string;
  /** The module whose version and sum go to the lock. */
  module: string;
  builds: readonly GoBuild[];
  /** Seconds, measured on two cores with empty caches. */
  estimateSeconds: number;
  /** Bytes that a cold build adds to Go's module and build caches and to the component cache, measured. */
  diskBytes: number;
}

const MB = 1_000_000;
const STATIC = ['-linkmode external', '-extldflags -static'];
const CONTAINERD = 'github.com/containerd/containerd/v2';
const CNI = 'github.com/containernetworking/plugins';

/** CNI plugins that flannel and kubeadm's users need. */
export const CNI_PLUGINS = {
  bandwidth: 'meta',
  bridge: 'main',
  firewall: 'meta',
  'host-local': 'ipam',
  loopback: 'main',
  portmap: 'meta',
  tuning: 'meta',
} as const;

/** Recipes of one release, longest first. Tags and stamps are those of the projects' own release builds. */
export function goRecipes(kubernetesVersion: string, release: Release): GoRecipe[] {
  return [
    kubernetesRecipe(kubernetesVersion),
    coredns(release.coredns),
    flannel(release.flannel),
    containerd(release.containerd),
    etcd(etcdModuleVersion(release.etcd)),
    runc(release.runc),
    cniPlugins(release.cniPlugins),
    flannelCniPlugin(release.flannelCniPlugin),
  ];
}

const KUBERNETES_COMMANDS = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-proxy',
  'kube-scheduler',
  'kubeadm',
  'kubectl',
  'kubelet',
] as const;

/** Version stamps of Kubernetes' binaries; the date is fixed so that a build can be repeated bit by bit. */
function kubernetesStamps(version: string): string[] {
  const [major = '', minor = ''] = version.slice(1).split('.');
  const values = {
    gitVersion: version,
    gitMajor: major,
    gitMinor: minor,
    // The module does not say; without a stamp it would be an unexpanded placeholder.
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
  };
  return ['k8s.io/client-go/pkg/version', 'k8s.io/component-base/version'].flatMap((path) =>
    Object.entries(values).map(([name, value]) => `-X ${path}.${name}=${value}`),
  );
}

const KUBERNETES_TAGS = ['selinux', 'notest', 'grpcnotrace'];

/** All of Kubernetes' binaries and the probe image's, in one build. */
export function kubernetesRecipe(version: string): GoRecipe {
  return {
    name: 'kubernetes',
    version,
    module: 'k8s.io/kubernetes',
    estimateSeconds: 300,
    diskBytes: 6_500 * MB,
    builds: [
      {
        packages: {
          ...Object.fromEntries(KUBERNETES_COMMANDS.map((name) => [`k8s.io/kubernetes/cmd/${name}`, name])),
          'k8s.io/kubernetes/test/images/agnhost': 'agnhost',
        },
        tags: KUBERNETES_TAGS,
        ldflags: kubernetesStamps(version),
      },
    ],
  };
}

/** kubeadm alone: what `kubeadm` writes is the reference for keelson's own files. */
export function kubeadmRecipe(version: string): GoRecipe {
  return {
    ...kubernetesRecipe(version),
    name: 'kubeadm',
    estimateSeconds: 140,
    diskBytes: 3_500 * MB,
    builds: [
      {
        packages: { 'k8s.io/kubernetes/cmd/kubeadm': 'kubeadm' },
        tags: KUBERNETES_TAGS,
        ldflags: kubernetesStamps(version),
      },
    ],
  };
}

function etcd(version: string): GoRecipe {
  return {
    name: 'etcd',
    version,
    module: 'go.etcd.io/etcd/server/v3',
    estimateSeconds: 32,
    diskBytes: 500 * MB,
    builds: [
      {
        packages: {
          'go.etcd.io/etcd/server/v3': 'etcd',
          'go.etcd.io/etcd/etcdctl/v3': 'etcdctl',
          'go.etcd.io/etcd/etcdutl/v3': 'etcdutl',
        },
        ldflags: [`-X go.etcd.io/etcd/api/v3/version.GitSHA=${version}`],
      },
    ],
  };
}

function coredns(version: string): GoRecipe {
  return {
    name: 'coredns',
    version,
    module: 'github.com/coredns/coredns',
    estimateSeconds: 105,
    diskBytes: 1_700 * MB,
    builds: [
      {
        packages: { 'github.com/coredns/coredns': 'coredns' },
        tags: ['grpcnotrace'],
        ldflags: [`-X github.com/coredns/coredns/coremain.GitCommit=${version}`],
      },
    ],
  };
}

function flannel(version: string): GoRecipe {
  return {
    name: 'flannel',
    version,
    module: 'github.com/flannel-io/flannel',
    estimateSeconds: 110,
    diskBytes: 1_200 * MB,
    builds: [
      {
        packages: { 'github.com/flannel-io/flannel': 'flanneld' },
        tags: ['netgo', 'osusergo'],
        ldflags: [...STATIC, `-X github.com/flannel-io/flannel/pkg/version.Version=${version}`],
        cgo: true,
      },
      // The published manifest's init container runs it.
      { packages: { 'github.com/flannel-io/flannel/cmd/install_conf': 'install-conf' } },
    ],
  };
}

function containerd(version: string): GoRecipe {
  const tags = ['urfave_cli_no_docs', 'osusergo', 'netgo', 'static_build'];
  const ldflags = [`-X ${CONTAINERD}/version.Version=${version}`, `-X ${CONTAINERD}/version.Revision=`];
  const packages = (...names: string[]) =>
    Object.fromEntries(names.map((name) => [`${CONTAINERD}/cmd/${name}`, name]));
  return {
    name: 'containerd',
    version,
    module: CONTAINERD,
    estimateSeconds: 66,
    diskBytes: 900 * MB,
    builds: [
      { packages: packages('containerd', 'ctr'), tags, ldflags },
      { packages: packages('containerd-shim-runc-v2'), tags: [...tags, 'no_grpc'], ldflags },
    ],
  };
}

function runc(version: string): GoRecipe {
  return {
    name: 'runc',
    version,
    module: 'github.com/opencontainers/runc',
    estimateSeconds: 21,
    diskBytes: 200 * MB,
    builds: [
      {
        packages: { 'github.com/opencontainers/runc': 'runc' },
        tags: ['seccomp', 'urfave_cli_no_docs', 'netgo', 'osusergo'],
        ldflags: [...STATIC, `-X main.gitCommit=${version}`],
        cgo: true,
      },
    ],
  };
}

function cniPlugins(version: string): GoRecipe {
  return {
    name: 'cni-plugins',
    version,
    module: CNI,
    estimateSeconds: 15,
    diskBytes: 150 * MB,
    builds: [
      {
        packages: Object.fromEntries(
          Object.entries(CNI_PLUGINS).map(([name, group]) => [`${CNI}/plugins/${group}/${name}`, name]),
        ),
        ldflags: [`-X ${CNI}/pkg/utils/buildversion.BuildVersion=${version}`],
      },
    ],
  };
}

function flannelCniPlugin(version: string): GoRecipe {
  return {
    name: 'cni-plugin-flannel',
    version,
    module: CNI,
    estimateSeconds: 3,
    diskBytes: 50 * MB,
    builds: [
      {
        packages: { [`${CNI}/plugins/meta/flannel`]: 'flannel' },
        ldflags: [`-X ${CNI}/pkg/utils/buildversion.BuildVersion=${version}`],
      },
    ],
  };
}
