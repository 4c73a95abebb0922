import { mkdir, mkdtemp, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  cgroupVersion,
  makeCgroup,
  parseHierarchies,
  processesIn,
  removeCgroup,
} from '../../../src/lab/cgroups.js';
import { countRules, firewallRule, forwardIsFiltered } from '../../../src/lab/firewall.js';
import { labInterfaces } from '../../../src/lab/network.js';
import { mountsBelow, removeTree } from '../../../src/lab/remove-tree.js';

const HYBRID_MOUNTS = `proc /proc proc rw,relatime 0 0
tmpfs /sys/fs/cgroup tmpfs rw,relatime,mode=755 0 0
cgroup /sys/fs/cgroup/cpu cgroup rw,relatime,cpu 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,name=systemd 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0
keelson-lab /var/lib/keelson-lab/lab/cp1/root overlay rw,relatime 0 0
/dev/vda /var/lib/keelson-lab/lab/cp1/root/var/lib/my\\040disk ext4 rw,relatime 0 0
/dev/vda /var/lib/keelson-lab/lab2/cp1/root ext4 rw,relatime 0 0
`;

describe('what a crashed lab leaves', () => {
  it('in /proc/mounts is found by its path, deepest first, and no other lab with it', () => {
    expect(mountsBelow(HYBRID_MOUNTS, '/var/lib/keelson-lab/lab')).toEqual([
      '/var/lib/keelson-lab/lab/cp1/root/var/lib/my disk',
      '/var/lib/keelson-lab/lab/cp1/root',
    ]);
  });

  it('among interfaces is found by its name, and no other lab with it', () => {
    const links = JSON.stringify(
      [
        'lo',
        'eth0',
        'docker0',
        'keelson-lab',
        'keelson-lab-cp1',
        'keelson-lab-w2',
        'keelson-t1',
        'keelson-t1-cp1',
      ].map((ifname, index) => ({ ifindex: index + 1, ifname, flags: ['UP'], mtu: 1500 })),
    );
    expect(labInterfaces(links, 'lab')).toEqual(['keelson-lab', 'keelson-lab-cp1', 'keelson-lab-w2']);
    expect(labInterfaces(links, 't1')).toEqual(['keelson-t1', 'keelson-t1-cp1']);
    expect(labInterfaces('[]', 'lab')).toEqual([]);
  });

  it('among firewall rules is its own rule only', () => {
    const chain = `-P FORWARD DROP
-A FORWARD -i keelson-lab -o keelson-lab -j ACCEPT
-A FORWARD -i keelson-t1 -o keelson-t1 -j ACCEPT
-A FORWARD -j DOCKER-USER
`;
    expect(countRules(chain, 'lab')).toBe(1);
    expect(countRules(chain, 'other')).toBe(0);
    expect(firewallRule('lab').join(' ')).toBe('FORWARD -i keelson-lab -o keelson-lab -j ACCEPT');
    expect(forwardIsFiltered(chain)).toBe(true);
    expect(forwardIsFiltered('-P FORWARD ACCEPT\n')).toBe(false);
    expect(forwardIsFiltered('')).toBe(false);
  });

  it('on disk is removed, and a directory that is not there is no error', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'keelson-'));
    await mkdir(join(directory, 'a/b'), { recursive: true });
    expect(await removeTree(directory)).toEqual([]);
    await expect(stat(directory)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await removeTree(directory)).toEqual([]);
  });
});

describe('control groups', () => {
  it('are looked for in every hierarchy of a hybrid computer', () => {
    const hierarchies = parseHierarchies(HYBRID_MOUNTS);
    expect(hierarchies).toEqual([
      { mountPoint: '/sys/fs/cgroup/cpu', version: 1 },
      { mountPoint: '/sys/fs/cgroup/systemd', version: 1 },
      { mountPoint: '/sys/fs/cgroup/unified', version: 2 },
    ]);
    expect(cgroupVersion(hierarchies)).toBe(1);
  });

  it('of a unified computer are one hierarchy', () => {
    const hierarchies = parseHierarchies('cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n');
    expect(hierarchies).toEqual([{ mountPoint: '/sys/fs/cgroup', version: 2 }]);
    expect(cgroupVersion(hierarchies)).toBe(2);
  });

  it('on v1 get the cpus and memory nodes of their parent, on v2 its controllers', async () => {
    const root = await mkdtemp(join(tmpdir(), 'keelson-'));
    const [cpuset, unified] = [join(root, 'cpuset'), join(root, 'unified')];
    for (const directory of ['cpuset/keelson-lab/cp1', 'unified/keelson-lab']) {
      await mkdir(join(root, directory), { recursive: true });
    }
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      await writeFile(join(cpuset, file), '0-1\n');
      await writeFile(join(cpuset, 'keelson-lab', file), '\n');
      await writeFile(join(cpuset, 'keelson-lab/cp1', file), '\n');
    }
    await writeFile(join(unified, 'cgroup.controllers'), 'memory\n');
    await writeFile(join(unified, 'keelson-lab/cgroup.controllers'), '\n');
    const directories = await makeCgroup(
      [
        { mountPoint: cpuset, version: 1 },
        { mountPoint: unified, version: 2 },
      ],
      'keelson-lab/cp1',
    );
    expect(directories).toEqual([join(cpuset, 'keelson-lab/cp1'), join(unified, 'keelson-lab/cp1')]);
    expect(await readFile(join(cpuset, 'keelson-lab/cp1/cpuset.mems'), 'utf8')).toBe('0-1\n');
    expect(await readFile(join(unified, 'cgroup.subtree_control'), 'utf8')).toBe('+memory');
  });

  it('are searched for processes all the way down and removed children first', async () => {
    const mountPoint = await mkdtemp(join(tmpdir(), 'keelson-'));
    const hierarchies = [{ mountPoint, version: 1 as const }];
    await mkdir(join(mountPoint, 'keelson-lab/cp1/kubepods/pod1'), { recursive: true });
    expect(await removeCgroup(hierarchies, 'keelson-lab')).toBe(true);
    expect(await removeCgroup(hierarchies, 'keelson-lab')).toBe(false);
    await mkdir(join(mountPoint, 'keelson-lab/cp1/kubepods'), { recursive: true });
    await writeFile(join(mountPoint, 'keelson-lab/cp1/cgroup.procs'), '10\n11\n');
    await writeFile(join(mountPoint, 'keelson-lab/cp1/kubepods/cgroup.procs'), '0\n12\n');
    expect((await processesIn(hierarchies, 'keelson-lab')).sort()).toEqual([10, 11, 12]);
  });
});
