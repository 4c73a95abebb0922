import { defineCheck, error, linesOf, ok, type Severity, warning } from './check.js';
import { minorOf } from './system.js';

interface Tool {
  command: string;
  severity: Exclude<Severity, 'ok'>;
  /** Who needs it. */
  why: string;
  /** Package that has it: Debian's name, and that of the RPM distributions. */
  apt: string;
  dnf: string;
  /** Needed only below this minor version of Kubernetes. */
  before?: number;
}

/**
 * mount, losetup and cp as kubeadm asks for them; conntrack until kube-proxy did without (1.32); find, tar and
 * sha256sum are what files are read and put with. kube-proxy and flannel bring iptables in their images, port
 * forwarding is containerd's own: socat and ethtool are needed by none of them any more.
 */
const TOOLS: readonly Tool[] = [
  tool('mount', 'error', 'the kubelet mounts volumes with it', 'mount', 'util-linux'),
  tool('umount', 'error', 'the kubelet unmounts volumes with it', 'mount', 'util-linux'),
  tool('losetup', 'error', 'the kubelet needs it for block volumes', 'mount', 'util-linux'),
  tool('cp', 'error', 'kubeadm needs it', 'coreutils', 'coreutils'),
  tool('sha256sum', 'error', 'keelson checks files with it', 'coreutils', 'coreutils'),
  tool('find', 'error', 'keelson reads files with it', 'findutils', 'findutils'),
  tool('tar', 'error', 'keelson sends files with it', 'tar', 'tar'),
  tool('ip', 'warning', 'keelson learns addresses with it', 'iproute2', 'iproute'),
  tool('iptables', 'warning', 'ports of pods on the host (hostPort) need it', 'iptables', 'iptables'),
  {
    ...tool('conntrack', 'error', 'kube-proxy before 1.32 needs it', 'conntrack', 'conntrack-tools'),
    before: 32,
  },
];

/** What does the work of another as well. */
const SUBSTITUTES: Readonly<Record<string, string>> = { iptables: 'nft' };

export const tools = defineCheck({
  id: 'tools',
  probes: () => ({
    missing: `PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
for tool in ${TOOLS.map(({ command }) => command).join(' ')} ${Object.values(SUBSTITUTES).join(' ')}; do
  command -v $tool >/dev/null || echo $tool
done`,
  }),
  judge: (subject) => {
    const missing = new Set(linesOf(subject, 'missing'));
    const minor = minorOf(subject.config.cluster.kubernetesVersion);
    const rpm = ['rhel', 'centos', 'rocky', 'almalinux', 'ol', 'fedora', 'amzn'].includes(
      subject.facts.os.id,
    );
    return TOOLS.filter(({ before }) => before === undefined || minor < before).map((entry) => {
      const name = `FileExisting-${entry.command}`;
      const substitute = SUBSTITUTES[entry.command];
      if (!missing.has(entry.command)) return ok(name, `${entry.command} is there`);
      if (substitute !== undefined && !missing.has(substitute)) return ok(name, `${substitute} is there`);
      const say = entry.severity === 'error' ? error : warning;
      const remedy = rpm ? `dnf install -y ${entry.dnf}` : `apt-get install -y ${entry.apt}`;
      return say(name, `${entry.command} is not in the path: ${entry.why}`, remedy);
    });
  },
});

function tool(command: string, severity: Tool['severity'], why: string, apt: string, dnf: string): Tool {
  return { command, severity, why, apt, dnf };
}
