import type { LabNode } from './types.js';

/** A file of a machine's root, written into its overlay before it boots. */
export interface SeedFile {
  /** Relative to the machine's root. */
  path: string;
  mode: number;
  text: string;
}

export interface SeedLink {
  path: string;
  target: string;
}

// Units that wait for what such a machine has not (udev, a seat, a console), or that serve no lab.
const MASKED_UNITS = [
  'systemd-networkd.service',
  'systemd-networkd.socket',
  'systemd-networkd-wait-online.service',
  'systemd-resolved.service',
  'systemd-timesyncd.service',
  'systemd-logind.service',
  'systemd-udevd.service',
  'systemd-udev-trigger.service',
  'systemd-modules-load.service',
  'systemd-binfmt.service',
  'systemd-remount-fs.service',
  'systemd-machine-id-commit.service',
  'systemd-update-utmp.service',
  'systemd-update-utmp-runlevel.service',
  'modprobe@.service',
  'systemd-firstboot.service',
  'sys-kernel-debug.mount',
  'sys-kernel-tracing.mount',
  'dev-hugepages.mount',
  'dev-mqueue.mount',
  'console-getty.service',
  'getty.target',
  'apt-daily.timer',
  'apt-daily-upgrade.timer',
  'dpkg-db-backup.timer',
  'e2scrub_all.timer',
  'e2scrub_reap.service',
  'fstrim.timer',
  'netfilter-persistent.service',
  // The packages' own services: keelson runs units of its own.
  'haproxy.service',
  'keepalived.service',
  'nftables.service',
] as const;

// Settings of the whole computer that a kubelet or keelson's host preparation may write.
const SHIELDED_SYSCTLS = [
  'vm/overcommit_memory',
  'vm/panic_on_oom',
  'vm/max_map_count',
  'kernel/panic',
  'kernel/panic_on_oops',
  'kernel/keys/root_maxkeys',
  'kernel/keys/root_maxbytes',
  'fs/inotify/max_user_instances',
  'fs/inotify/max_user_watches',
] as const;

/**
 * Makes writable what systemd-nspawn mounts read-only and a kubelet has to write: control groups and /sys;
 * and makes / shared, for mount propagation into pods. Of the sysctls only the machine's own (net) can be
 * written; some of the whole computer's are covered by copies, so that a write succeeds and changes nothing
 * outside. The host's DMI uuid, the same for all machines, is hidden by one of the machine's own. On cgroup
 * v2 the control groups are writable already, and the step does nothing.
 */
const PREPARE = `#!/bin/sh
set -eu
for mount in /sys /sys/fs/cgroup /sys/fs/cgroup/*; do
  if mountpoint -q "$mount"; then mount -o remount,bind,rw "$mount" || true; fi
done
mount --make-rshared /
mkdir -p /sys/fs/bpf /run/keelson-sysctl || true
for key in ${SHIELDED_SYSCTLS.join(' ')}; do
  copy=/run/keelson-sysctl/$(echo "$key" | tr / .)
  if cat "/proc/sys/$key" > "$copy" 2>/dev/null; then mount --bind "$copy" "/proc/sys/$key"; fi
done
uuid=/sys/class/dmi/id/product_uuid
if [ -e "$uuid" ]; then mount --bind /etc/keelson-lab/product_uuid "$uuid"; fi
`;

const PREPARE_UNIT = `[Unit]
Description=Writable control groups and sysctls
DefaultDependencies=no
Before=sysinit.target systemd-sysctl.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/etc/keelson-lab/prepare

[Install]
WantedBy=sysinit.target
`;

/** systemd-networkd waits for udev forever in such a machine, so a oneshot unit sets the address. */
const networkUnit = ({ address, address6 }: LabNode, [gateway, gateway6]: readonly string[]) => `[Unit]
Description=Address and default route of host0
DefaultDependencies=no
After=keelson-lab-prepare.service
Before=network-pre.target network.target network-online.target
Wants=network.target network-online.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/sbin/ip link set lo up
ExecStart=/sbin/ip address replace ${address}/24 dev host0
ExecStart=/sbin/ip link set host0 up mtu 1500
ExecStart=/sbin/ip route replace default via ${gateway} dev host0
${address6 === undefined ? '' : network6(address6, gateway6 ?? '')}
[Install]
WantedBy=multi-user.target
`;

const network6 = (
  address: string,
  gateway: string,
) => `ExecStart=/sbin/ip -6 address replace ${address}/64 dev host0 nodad
ExecStart=/sbin/ip -6 route replace default via ${gateway} dev host0
`;

const READY_UNIT = `[Unit]
Description=Tells the lab that ssh answers
After=ssh.service keelson-lab-network.service
Requires=ssh.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/touch /run/keelson-lab/ready

[Install]
WantedBy=multi-user.target
`;

const SSHD_CONFIG = `# One host key, whose public half the lab's known_hosts holds.
HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UseDNS no
PrintMotd no
MaxStartups 100
`;

const JOURNALD_CONFIG = `[Journal]
Storage=persistent
SystemMaxUse=200M
ReadKMsg=no
`;

const UNITS = ['keelson-lab-prepare.service', 'keelson-lab-network.service', 'keelson-lab-ready.service'];

/** machine-id (32 hex digits) in the form of a DMI product_uuid. */
export function productUuid(machineId: string): string {
  return machineId.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/**
 * All files that turn the shared Debian base into this machine, but for its keys.
 * @param gateways the bridge's addresses, IPv4 first
 */
export function nodeFiles(node: LabNode, gateways: readonly string[]): SeedFile[] {
  const file = (path: string, text: string, mode = 0o644): SeedFile => ({ path, mode, text });
  return [
    file('etc/hostname', `${node.name}\n`),
    file('etc/machine-id', `${node.machineId}\n`, 0o444),
    // The gateway answers no DNS, it refuses at once; CoreDNS and the kubelet want one nameserver named.
    file('etc/resolv.conf', `nameserver ${gateways[0]}\noptions timeout:1 attempts:1\n`),
    file('etc/keelson-lab/prepare', PREPARE, 0o755),
    file('etc/keelson-lab/product_uuid', `${productUuid(node.machineId)}\n`, 0o400),
    file('etc/systemd/system/keelson-lab-prepare.service', PREPARE_UNIT),
    file('etc/systemd/system/keelson-lab-network.service', networkUnit(node, gateways)),
    file('etc/systemd/system/keelson-lab-ready.service', READY_UNIT),
    file('etc/systemd/journald.conf.d/keelson-lab.conf', JOURNALD_CONFIG),
    file('etc/ssh/sshd_config.d/keelson-lab.conf', SSHD_CONFIG, 0o600),
    // Newer than the base's /usr: no offline update units at the first boot.
    file('etc/.updated', ''),
    file('var/.updated', ''),
  ];
}

/** Enabled and masked units. */
export function nodeLinks(): SeedLink[] {
  const system = 'etc/systemd/system';
  return [
    ...UNITS.map((unit) => ({
      path: `${system}/${unit === 'keelson-lab-prepare.service' ? 'sysinit' : 'multi-user'}.target.wants/${unit}`,
      target: `/etc/systemd/system/${unit}`,
    })),
    ...MASKED_UNITS.map((unit) => ({ path: `${system}/${unit}`, target: '/dev/null' })),
  ];
}

/**
 * Name of the API endpoint of a lab with several control planes. Every control plane has it in /etc/hosts, so
 * that a client which is refused by one tries the next.
 */
export const API_NAME = 'api.keelson.internal';

const addressesOf = ({ address, address6 }: LabNode): string[] =>
  address6 === undefined ? [address] : [address, address6];

/** /etc/hosts for all machines of a lab. */
export function hostsText(nodes: readonly LabNode[]): string {
  return [
    '127.0.0.1 localhost',
    '::1 localhost ip6-localhost ip6-loopback',
    ...nodes.flatMap((node) => addressesOf(node).map((address) => `${address} ${node.name}`)),
    ...nodes.filter((node) => node.role === 'control-plane').map((node) => `${node.address} ${API_NAME}`),
    '',
  ].join('\n');
}
