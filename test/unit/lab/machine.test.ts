import { describe, expect, it } from 'vitest';
import { machineOfCmdline, nspawnArgv, overlayOptions } from '../../../src/lab/machine.js';
import type { LabNode } from '../../../src/lab/types.js';

const node: LabNode = {
  name: 'cp1',
  role: 'control-plane',
  address: '10.88.0.11',
  machineId: '0123456789abcdef0123456789abcdef',
};

describe('a machine of the lab', () => {
  it('is booted by exactly this command line', () => {
    expect(nspawnArgv('/var/lib/keelson-lab', 'lab', node)).toEqual([
      'systemd-nspawn',
      '--quiet',
      '--boot',
      '--register=no',
      '--keep-unit',
      '--machine=keelson-lab-cp1',
      '--hostname=cp1',
      '--uuid=0123456789abcdef0123456789abcdef',
      '--directory=/var/lib/keelson-lab/lab/cp1/root',
      '--private-network',
      '--network-veth-extra=keelson-lab-cp1:host0',
      '--capability=all',
      '--system-call-filter=@keyring bpf',
      '--resolv-conf=off',
      '--timezone=off',
      '--link-journal=no',
      '--console=read-only',
      '--bind=/dev/kmsg',
      '--bind=/var/lib/keelson-lab/lab/hosts:/etc/hosts',
      '--bind=/var/lib/keelson-lab/lab/cp1/signals:/run/keelson-lab',
      '--bind=/var/lib/keelson-lab/lab/cp1/disks/containerd:/var/lib/containerd',
      '--bind=/var/lib/keelson-lab/lab/cp1/disks/kubelet:/var/lib/kubelet',
      '--bind=/var/lib/keelson-lab/lab/cp1/disks/etcd:/var/lib/etcd',
      '--bind=/var/lib/keelson-lab/lab/cp1/disks/keelson:/var/lib/keelson',
    ]);
  });

  it('is found again by its command line, by the shell that is about to become it as well', () => {
    const argv = nspawnArgv('/srv/labs', 'my-lab', node);
    expect(machineOfCmdline(`${argv.join('\0')}\0`)).toEqual({ lab: 'my-lab', node: 'cp1' });
    const shell = ['sh', '-c', 'exec "$@"', 'keelson-lab-boot', '--', 'lowerdir=/x', '/root', ...argv];
    expect(machineOfCmdline(`${shell.join('\0')}\0`)).toEqual({ lab: 'my-lab', node: 'cp1' });
  });

  it("is not seen in others' machines or in programs that only name one", () => {
    expect(machineOfCmdline('systemd-nspawn\0--machine=debian\0')).toBeNull();
    expect(machineOfCmdline('grep\0--machine=keelson-lab-cp1\0')).toBeNull();
    expect(machineOfCmdline('')).toBeNull();
  });

  it('keeps colons and commas of a path out of the overlay options', () => {
    expect(overlayOptions('/base', '/up', '/work')).toBe('lowerdir=/base,upperdir=/up,workdir=/work');
    expect(overlayOptions('/a:b', '/c,d', '/e')).toBe('lowerdir=/a\\:b,upperdir=/c\\,d,workdir=/e');
  });
});
