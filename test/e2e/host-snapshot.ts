/** Runs a POSIX shell script as root on a machine and gives its stdout. */
export type RunOn = (machine: string, script: string) => Promise<string>;

/** What a machine looks like, by section: sorted lines that agree while nothing has changed. */
export type HostSnapshot = ReadonlyMap<string, readonly string[]>;

/** Paths that change by themselves on a machine that nobody touches: logs, caches, clocks, sessions. */
const RESTLESS = [
  '/var/log/journal',
  '/var/lib/systemd',
  '/var/log/wtmp',
  '/var/log/lastlog',
  '/var/log/btmp',
  '/var/tmp',
  '/tmp',
  '/root/.ssh',
  '/etc/ld.so.cache',
  '/var/cache',
  '/var/log/faillog',
];

/** Below /run only what keelson, a kubelet, a runtime or a network may leave. */
const RESTLESS_RUN = [
  '/run/systemd',
  '/run/log',
  '/run/utmp',
  '/run/user',
  '/run/sshd',
  '/run/keelson-sysctl',
];

/** Settings whose value is a counter, a random number, or derived from memory and time. */
const RESTLESS_SYSCTLS =
  '^(fs\\.(dentry-state|file-nr|inode-nr|inode-state|quota|aio-nr|epoll)|kernel\\.(random|ns_last_pid|pty\\.nr|hostname|sched|cad_pid)|net\\.netfilter\\.nf_conntrack_count|net\\.ipv[46]\\.(conf|neigh)\\.(cni0|flannel|veth|cali)|vm\\.(stat|drop))';

const prune = (paths: readonly string[]) => paths.map((path) => `-path '${path}' -prune -o`).join(' ');

const SCRIPT = `LC_ALL=C; export LC_ALL
section() { printf '== %s\\n' "$1"; }
section tree
find / -xdev ${prune(RESTLESS)} \\( -path /run -o -path /proc -o -path /sys -o -path /dev \\) -prune -o -printf '%y %m %u:%g %p %l\\n' | sort
section data
find /var/lib/containerd /var/lib/kubelet /var/lib/etcd -mindepth 1 -printf '%y %m %p\\n' 2>/dev/null | sort
section digests
find /etc /usr /opt /var/lib /root -xdev ${prune(RESTLESS)} -type f -print0 | xargs -0 sha256sum | sort -k2
section run
find /run -xdev ${prune(RESTLESS_RUN)} -printf '%y %p\\n' | sort
for tool in iptables-legacy ip6tables-legacy iptables-nft ip6tables-nft; do
  section "$tool"; "$tool-save" 2>/dev/null | grep -v '^#' | sed 's/\\[[0-9]*:[0-9]*\\]//'
done
section nft; nft list ruleset 2>/dev/null | sed 's/counter packets [0-9]* bytes [0-9]*//'
section ipset; ipset list -n 2>/dev/null
section links; ip -o link | sed 's/^[0-9]*: //; s/ qlen.*link/ link/'
section addresses; ip -o address | awk '{print $2, $3, $4}'
section routes; ip route show table all; ip -6 route show table all | grep -v fe80 | sed 's/ expires .*//'
section rules; ip rule; ip -6 rule
section netns; ls /run/netns 2>/dev/null
section mounts; awk '{print $5, $6}' /proc/self/mountinfo | sort
section unit-files; systemctl list-unit-files --no-legend --no-pager | awk '{print $1, $2}' | grep -v '^run-\\|\\.mount \\|session-' | sort
section units; systemctl list-units --all --plain --no-legend --no-pager --type=service,timer,socket,slice | awk '{print $1, $3}' | grep -v 'ssh@\\|session-\\|user-\\|user@\\|systemd-tmpfiles\\|sshd@' | sort
section sysctls; sysctl -a 2>/dev/null | grep -Ev '${RESTLESS_SYSCTLS}' | sort
section processes; ps -eo args= | grep -Ev '^(ps |sort|grep|awk|sh |bash|sshd|\\[|xargs|sed)' | sort
section listening; ss -Hltn | awk '{print $4}' | sort
section cgroups; find /sys/fs/cgroup -type d \\( -name 'kube*' -o -name 'containerd*' -o -name 'pod*' \\) 2>/dev/null | sort
`;

/** Files with digests, links, routes, firewall, mounts, units, settings, processes of a machine. Takes some seconds. */
export async function snapshotHost(machine: string, run: RunOn): Promise<HostSnapshot> {
  const sections = new Map<string, string[]>();
  let current: string[] = [];
  for (const line of (await run(machine, SCRIPT)).split('\n')) {
    if (line.startsWith('== ')) {
      current = [];
      sections.set(line.slice(3), current);
    } else if (line !== '') {
      current.push(line);
    }
  }
  return sections;
}

/** Lines that only one of two snapshots has: `section: - before` and `section: + after`. */
export function differences(before: HostSnapshot, after: HostSnapshot): string[] {
  const result: string[] = [];
  for (const section of new Set([...before.keys(), ...after.keys()])) {
    const left = before.get(section) ?? [];
    const right = after.get(section) ?? [];
    const inLeft = new Set(left);
    const inRight = new Set(right);
    result.push(...left.filter((line) => !inRight.has(line)).map((line) => `${section}: - ${line}`));
    result.push(...right.filter((line) => !inLeft.has(line)).map((line) => `${section}: + ${line}`));
  }
  return result;
}
