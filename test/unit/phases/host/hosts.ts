import { readFileSync } from 'node:fs';

const testdata = (name: string) => readFileSync(new URL(`testdata/${name}`, import.meta.url), 'utf8');

/** A host of a distribution that the lab cannot boot, as facts, files and probes would show it. */
export interface HostImage {
  /** Output of FACTS_SCRIPT. */
  facts: string;
  files: Record<string, string>;
  /** Output of probes, by the name that phases and checks give them. */
  probes: { missing: string; manager: string; selinux: string; firewall: string; swap: string };
}

const facts = (os: string, kernel: string, systemd: number, swapKb: number) => `clock=1795434371000000000
hostname=cp1
${os}
kernel=${kernel}
architecture=x86_64
cgroup=2
systemd=${systemd}
machine-id=0123456789abcdef0123456789abcdef
cpus=2
memory=3906252
swap=${swapKb}
uid=0
address=eth0 10.0.2.15/24
address=eth1 192.168.56.11/24
mtu=eth0 1500
mtu=eth1 1500
route=192.0.2.1 via 10.0.2.2 dev eth0 src 10.0.2.15 uid 0
clock-end=1795434371000000000
`;

export const ROCKY_9: HostImage = {
  facts: facts(
    'os.id=rocky\nos.version=9.6\nos.name=Rocky Linux 9.6 (Blue Onyx)',
    '5.14.0-570.12.1.el9_6.x86_64',
    252,
    2097148,
  ),
  files: {
    '/etc/fstab': `/dev/mapper/rl-root     /                       xfs     defaults        0 0
UUID=6a3f0c9e-0a7c-4a3c-9b52-1f6b1d3f6a11 /boot                   xfs     defaults        0 0
/dev/mapper/rl-swap     none                    swap    defaults        0 0
`,
    '/etc/selinux/config': `# This file controls the state of SELinux on the system.
# SELINUX= can take one of these three values:
#     enforcing - SELinux security policy is enforced.
SELINUX=enforcing
# SELINUXTYPE= can take one of these three values:
SELINUXTYPE=targeted
`,
  },
  probes: {
    missing: 'iptables\nconntrack\nsocat\nebtables\n',
    manager: 'dnf\n',
    selinux: '1',
    firewall: testdata('firewalld-closed'),
    swap: 'swap /dev/dm-1\n',
  },
};

/** As Fedora: compressed swap in memory, made by systemd's generator. */
export const FEDORA_43: HostImage = {
  ...ROCKY_9,
  facts: facts(
    'os.id=fedora\nos.version=43\nos.name=Fedora Linux 43 (Server Edition)',
    '6.17.1-300.fc43.x86_64',
    258,
    3906252,
  ),
  files: { '/etc/fstab': 'UUID=6a3f0c9e-0a7c-4a3c-9b52-1f6b1d3f6a11 / btrfs defaults 0 0\n' },
  probes: {
    ...ROCKY_9.probes,
    missing: 'conntrack\nsocat\n',
    selinux: '0',
    firewall: testdata('firewalld-open-w1'),
    swap: 'swap /dev/zram0\nunit dev-zram0.swap\n',
  },
};

export const LEAP_15: HostImage = {
  facts: facts(
    'os.id=opensuse-leap\nos.version=15.6\nos.name=openSUSE Leap 15.6',
    '6.4.0-150600.23.53-default',
    254,
    2097148,
  ),
  files: {
    '/etc/fstab': `UUID=0b0a4b9e-5d64-4f51-9d3b-3a4e5d6c7b8a  /      btrfs  defaults  0  0
UUID=1c1b5cae-6e75-4f62-8e4c-4b5f6e7d8c9b  swap   swap   defaults  0  0
`,
  },
  probes: {
    missing: 'conntrack\nsocat\nebtables\n',
    manager: 'zypper\n',
    selinux: '',
    firewall: testdata('firewalld-closed'),
    swap: 'swap /dev/vda3\n',
  },
};

export const UBUNTU_24_04: HostImage = {
  facts: facts(
    'os.id=ubuntu\nos.version=24.04\nos.name=Ubuntu 24.04.3 LTS',
    '6.8.0-85-generic',
    255,
    2097148,
  ),
  files: {
    '/etc/fstab': `/dev/disk/by-id/dm-uuid-LVM-abc / ext4 defaults 0 1
# a comment that says swap
/swap.img	none	swap	sw	0	0
`,
  },
  probes: {
    missing: 'conntrack\nsocat\nebtables\n',
    manager: 'apt-get\n',
    selinux: '',
    firewall: testdata('ufw-closed'),
    swap: 'swap /swap.img\n',
  },
};
