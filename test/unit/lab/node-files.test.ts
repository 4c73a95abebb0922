import { describe, expect, it } from 'vitest';
import { hostsText, nodeFiles, nodeLinks, productUuid } from '../../../src/lab/node-files.js';
import type { LabNode } from '../../../src/lab/types.js';

const node: LabNode = {
  name: 'w1',
  role: 'worker',
  address: '10.88.0.21',
  machineId: '0123456789abcdef0123456789abcdef',
};

const files = new Map(nodeFiles(node, ['10.88.0.1']).map((file) => [file.path, file]));
const text = (path: string) => files.get(path)?.text ?? '';

describe('files of a machine', () => {
  it('name it and set its address and default route without systemd-networkd', () => {
    expect(text('etc/hostname')).toBe('w1\n');
    const unit = text('etc/systemd/system/keelson-lab-network.service');
    expect(unit).toContain('ip address replace 10.88.0.21/24 dev host0');
    expect(unit).toContain('ip route replace default via 10.88.0.1 dev host0');
  });

  it('name one nameserver, without which CoreDNS does not start', () => {
    expect(text('etc/resolv.conf')).toMatch(/^nameserver 10\.88\.0\.1$/m);
  });

  it('let root in by key only', () => {
    const config = text('etc/ssh/sshd_config.d/keelson-lab.conf');
    expect(config).toMatch(/^PermitRootLogin prohibit-password$/m);
    expect(config).toMatch(/^PasswordAuthentication no$/m);
  });

  it('prepare control groups before sysinit.target and leave the sysctls of the computer read-only', () => {
    expect(text('etc/systemd/system/keelson-lab-prepare.service')).toMatch(/^Before=sysinit\.target/m);
    const script = text('etc/keelson-lab/prepare');
    expect(script).toContain('mount -o remount,bind,rw');
    expect(script).not.toMatch(/for mount in .*\/proc\/sys/);
    expect(script).not.toContain('umount');
    expect(files.get('etc/keelson-lab/prepare')?.mode).toBe(0o755);
  });

  it('carry an identity of its own', () => {
    expect(text('etc/machine-id')).toBe(`${node.machineId}\n`);
    expect(productUuid(node.machineId)).toBe('01234567-89ab-cdef-0123-456789abcdef');
  });

  it('enable every unit that they bring, and mask what waits for udev', () => {
    const links = new Map(nodeLinks().map((link) => [link.path, link.target]));
    for (const path of files.keys()) {
      const unit = /^etc\/systemd\/system\/(keelson-lab-.*\.service)$/.exec(path)?.[1];
      if (unit !== undefined) expect([...links.values()]).toContain(`/etc/systemd/system/${unit}`);
    }
    expect(links.get('etc/systemd/system/systemd-networkd.service')).toBe('/dev/null');
  });

  it('list all machines of the lab in /etc/hosts', () => {
    expect(hostsText([node])).toBe(
      '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n10.88.0.21 w1\n',
    );
  });
});
