import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { parseClusterConfig } from '../../../src/config/load.js';
import { SNAPSHOT_FILES, SNAPSHOT_SCRIPT, snapshotFiles } from '../../../src/manifests/etcd-snapshots.js';
import { renderHost } from '../../../src/manifests/render.js';

const config = (spec: string, hosts = '') =>
  parseClusterConfig(
    `apiVersion: keelson.dev/v1alpha1
kind: Cluster
metadata: {name: demo}
spec:
  hosts:
    - {name: cp1, role: control-plane, address: 192.0.2.11}
    - {name: w1, role: worker, address: 192.0.2.21}
${hosts}${spec}---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.36.3
networking: {podSubnet: 10.244.0.0/16}
`,
    { homeDir: '/root' },
  );

const host = (of: ReturnType<typeof config>, name: string) => {
  const found = of.hosts.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
};

const DAILY = `  etcdSnapshots: {schedule: '*-*-* 03:00:00', directory: /srv/etcd, keep: 7}
`;

describe('snapshots of etcd by a timer', () => {
  it('are none where the file does not ask for them', () => {
    const plain = config('');
    expect(snapshotFiles(plain, host(plain, 'cp1')).size).toBe(0);
  });

  it('are taken where there is a member, and not on workers', () => {
    const daily = config(DAILY);
    expect([...snapshotFiles(daily, host(daily, 'cp1')).keys()]).toEqual(SNAPSHOT_FILES);
    expect(snapshotFiles(daily, host(daily, 'w1')).size).toBe(0);
  });

  it('are taken on hosts of role etcd, and not on control planes beside them', () => {
    const daily = config(DAILY, '    - {name: e1, role: etcd, address: 192.0.2.31}\n');
    expect(snapshotFiles(daily, host(daily, 'e1')).size).toBe(3);
    expect(snapshotFiles(daily, host(daily, 'cp1')).size).toBe(0);
  });

  it('are hourly, and twenty-four stay, where nothing else is said', () => {
    expect(config('  etcdSnapshots: {}\n').spec.etcdSnapshots).toEqual({
      schedule: 'hourly',
      directory: '/var/backups/keelson',
      keep: 24,
    });
  });

  it('come at the time, into the directory and in the number that the file says', () => {
    const daily = config(DAILY);
    const files = renderHost(daily, host(daily, 'cp1'));
    const texts = SNAPSHOT_FILES.map((path) => files.get(path)?.content ?? '');
    expect(texts[2]).toContain('OnCalendar=*-*-* 03:00:00\n');
    expect(texts[0]).toContain('directory=/srv/etcd\n');
    expect(texts[0]).toContain('tail -n +8 |');
  });

  it('are taken by a script that a shell can read', () => {
    const daily = config(DAILY);
    const script = snapshotFiles(daily, host(daily, 'cp1')).get(SNAPSHOT_SCRIPT)?.content ?? '';
    expect(execFileSync('sh', ['-n'], { input: script }).toString()).toBe('');
  });

  it.each([
    ['{directory: snapshots}', 'no absolute path'],
    ['{directory: /srv/../etc}', 'no absolute path'],
    ['{directory: "/srv/$(id)"}', 'no absolute path'],
    ['{schedule: "hourly\\nExecStart=/bin/sh"}', 'is no time'],
    ['{keep: 0}', 'keep'],
  ])('are refused as %s', (given, message) => {
    expect(() => config(`  etcdSnapshots: ${given}\n`)).toThrow(message);
  });
});
