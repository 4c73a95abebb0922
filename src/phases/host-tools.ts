import { minorOf } from './versions.js';

/** Package managers, by the command that each is found by. */
export type PackageManager = 'apt' | 'dnf' | 'zypper';

/** Prints the command of the host's package manager. */
export const MANAGER_PROBE =
  'for command in apt-get dnf zypper; do command -v $command >/dev/null && echo $command && break; done; true';

const COMMANDS: Readonly<Record<string, PackageManager>> = { 'apt-get': 'apt', dnf: 'dnf', zypper: 'zypper' };

/** What `MANAGER_PROBE` printed; null for a host that has none of them. */
export function managerOf(stdout: string): PackageManager | null {
  return COMMANDS[stdout.trim()] ?? null;
}

/** A command line that a user can type. */
export function installCommand(manager: PackageManager, packages: readonly string[]): string {
  const words = { apt: 'apt-get install -y', dnf: 'dnf install -y', zypper: 'zypper install -y' };
  return `${words[manager]} ${packages.join(' ')}`;
}

export interface HostTool {
  command: string;
  /** What its absence is to preflight; null: nothing, but it comes along where packages are installed. */
  severity: 'error' | 'warning' | null;
  /** Who needs it. */
  why: string;
  packages: Readonly<Record<PackageManager, string>>;
  /** Does the same work. */
  substitute?: string;
  /** Of this severity only below this minor version of Kubernetes. */
  before?: number;
}

/**
 * mount, losetup and cp as kubeadm asks for them; conntrack until kube-proxy did without (1.32); find, tar and
 * sha256sum are what files are read and put with. kube-proxy and flannel bring iptables in their images, port
 * forwarding is containerd's own: socat, ethtool and ebtables are for other network plugins, and for people.
 */
const TOOLS: readonly HostTool[] = [
  tool('mount', 'error', 'the kubelet mounts volumes with it', 'mount', 'util-linux', 'util-linux'),
  tool('umount', 'error', 'the kubelet unmounts volumes with it', 'mount', 'util-linux', 'util-linux'),
  tool('losetup', 'error', 'the kubelet needs it for block volumes', 'mount', 'util-linux', 'util-linux'),
  tool('cp', 'error', 'kubeadm needs it', 'coreutils'),
  tool('sha256sum', 'error', 'keelson checks files with it', 'coreutils'),
  tool('find', 'error', 'keelson reads files with it', 'findutils'),
  tool('tar', 'error', 'keelson sends files with it', 'tar'),
  tool('ip', 'warning', 'keelson learns addresses with it', 'iproute2', 'iproute', 'iproute2'),
  tool('modprobe', 'warning', 'kernel modules are loaded with it', 'kmod'),
  {
    ...tool('iptables', 'warning', 'ports of pods on the host (hostPort) need it', 'iptables'),
    substitute: 'nft',
  },
  {
    ...tool(
      'conntrack',
      'error',
      'kube-proxy before 1.32 needs it',
      'conntrack',
      'conntrack-tools',
      'conntrack-tools',
    ),
    before: 32,
  },
  tool('socat', null, 'network plugins may need it', 'socat'),
  tool('ethtool', null, 'network plugins may need it', 'ethtool'),
  tool('ebtables', null, 'network plugins may need it', 'ebtables'),
];

/** All tools, with the severities that hold for a version of Kubernetes. */
export function hostTools(kubernetesVersion: string): HostTool[] {
  const minor = minorOf(kubernetesVersion);
  return TOOLS.map((entry) =>
    entry.before === undefined || minor < entry.before ? entry : { ...entry, severity: null },
  );
}

/** Prints the commands that are not in the path, substitutes included. */
export const MISSING_TOOLS_PROBE = `PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
for tool in ${TOOLS.flatMap(({ command, substitute }) => [command, substitute ?? '']).join(' ')}; do
  command -v $tool >/dev/null || echo $tool
done`;

/** Tools that are missing, and have no substitute, as `MISSING_TOOLS_PROBE` printed them. */
export function missingTools(tools: readonly HostTool[], stdout: string): HostTool[] {
  const missing = new Set(stdout.split('\n').map((line) => line.trim()));
  return tools.filter(
    ({ command, substitute }) =>
      missing.has(command) && (substitute === undefined || missing.has(substitute)),
  );
}

function tool(
  command: string,
  severity: HostTool['severity'],
  why: string,
  apt: string,
  dnf: string = apt,
  zypper: string = apt,
): HostTool {
  return { command, severity, why, packages: { apt, dnf, zypper } };
}
