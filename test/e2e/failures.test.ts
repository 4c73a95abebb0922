import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type E2eLab, keelson, labDown, labUp, onNode, WORK } from './support.js';

/** Everything that keelson could have written on a machine; empty on one that it never touched. */
const TRACES =
  'ls -d /etc/kubernetes /var/lib/keelson/* /usr/local/bin/containerd /usr/bin/kubelet 2>/dev/null; true';

describe('what goes wrong before anything is changed', () => {
  let lab: E2eLab;
  let text: string;
  beforeAll(async () => {
    lab = await labUp('e2efail', '--workers', '1', '--no-cluster');
    text = readFileSync(lab.clusterFile, 'utf8');
  });
  afterAll(() => labDown('e2efail'));

  /** The lab's cluster file with something replaced, beside it so that relative paths still fit. */
  function variant(name: string, change: (text: string) => string): string {
    const changed = change(text);
    expect(changed).not.toBe(text);
    const file = join(lab.directory, `${name}.yaml`);
    writeFileSync(file, changed);
    return file;
  }

  async function expectRefused(file: string, exitCode: number, message: RegExp): Promise<void> {
    const result = await keelson(['apply', '-c', file]);
    expect(result.stderr).toMatch(message);
    expect(result.exitCode).toBe(exitCode);
    for (const node of ['cp1', 'w1']) expect(await onNode(lab, node, TRACES)).toBe('');
  }

  it('refuses a wrong host key with exit code 5', async () => {
    const known = readFileSync(join(lab.directory, 'known_hosts'), 'utf8');
    // The key of another machine of the lab is a valid key, and a wrong one.
    const lines = known.trim().split('\n');
    const keyOf = (address: string) =>
      lines
        .find((line) => line.startsWith(address))
        ?.split(' ')
        .slice(1)
        .join(' ');
    const addresses = lines.map((line) => line.split(' ')[0] ?? '');
    const swapped = addresses.map(
      (address, index) => `${address} ${keyOf(addresses[(index + 1) % addresses.length] ?? '')}`,
    );
    writeFileSync(join(lab.directory, 'known_hosts_wrong'), `${swapped.join('\n')}\n`);
    const file = variant('wrong-key', (before) => before.replace('./known_hosts', './known_hosts_wrong'));
    await expectRefused(file, 5, /HOST_KEY[\s\S]*SHA256:/);
  });

  it('names the host that cannot be reached, with exit code 5', async () => {
    const file = variant('unreachable', (before) =>
      before.replace(/(name: w1[\s\S]*?address: \S+)\.21/, '$1.99'),
    );
    await expectRefused(file, 5, /CONNECTION[\s\S]*w1[\s\S]*\.99/);
  });

  it('points at the line of bad YAML with exit code 3', async () => {
    const file = variant('bad', (before) => before.replace('role: worker', 'roll: worker'));
    await expectRefused(file, 3, /bad\.yaml:\d+:\d+ spec\.hosts.*did you mean.*role/s);
  });

  it('finds a busy port with exit code 4', async () => {
    await onNode(lab, 'cp1', 'systemd-run --unit=busy socat TCP-LISTEN:6443,fork,reuseaddr EXEC:true');
    try {
      await expectRefused(lab.clusterFile, 4, /cp1[\s\S]*Port-6443/);
    } finally {
      await onNode(lab, 'cp1', 'systemctl stop busy');
    }
  });

  it('finds a full disk with exit code 4', async () => {
    await onNode(lab, 'w1', 'mount -t tmpfs -o size=64m tmpfs /var/lib/containerd');
    try {
      await expectRefused(lab.clusterFile, 4, /w1[\s\S]*DiskSpace/);
    } finally {
      await onNode(lab, 'w1', 'umount /var/lib/containerd');
    }
  });

  it('says which option is unknown with exit code 2', async () => {
    const result = await keelson(['apply', '--frobnicate']);
    expect(result.stderr).toContain('--frobnicate');
    expect(result.exitCode).toBe(2);
  });

  it('renders a host’s files without root and without the lab', async () => {
    const out = join(WORK, 'rendered');
    const result = await keelson(['render', '-c', lab.clusterFile, '--host', 'cp1', '--out', out]);
    expect(result.exitCode).toBe(0);
    expect(readFileSync(join(out, 'etc/kubernetes/manifests/kube-apiserver.yaml'), 'utf8')).toContain(
      'kind: Pod',
    );
  });
});
