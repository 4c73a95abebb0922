import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type E2eLab, labDown, labUp, onNode, succeed, WORK } from '../e2e/support.js';

const NAME = 'airgap';
const NODES = ['cp1', 'w1', 'w2'];
const PROGRAMS = ['conntrack', 'socat', 'ethtool', 'ebtables', 'iptables'];

/** Everything that a node would send out of the lab's own network is dropped, after addresses are translated. */
const GAP = `set -e
gateway=$(ip -4 route show default | awk '{print $3}')
network=$(ip -4 route show dev host0 scope link | awk '{print $1; exit}')
nft add table inet gap
nft add chain inet gap out '{type filter hook postrouting priority 300;}'
nft add rule inet gap out oifname host0 ip daddr != $network counter drop
nft add rule inet gap out oifname host0 ip daddr $gateway ct state new counter drop
`;

let lab: E2eLab;
const found = (node: string) =>
  onNode(lab, node, `for program in ${PROGRAMS.join(' ')}; do command -v $program || true; done`);
const traces = (node: string) =>
  onNode(
    lab,
    node,
    'ls -A /var/lib/keelson; ls -d /run/keelson-relay-* 2>/dev/null; ls /var/lib/apt/lists; true',
  );

describe('a bundle file with host packages, on machines that reach nothing else', () => {
  beforeAll(async () => {
    const directory = join(WORK, 'airgap-bundle');
    const file = join(WORK, 'airgap.tar');
    await succeed('bundle', 'build', '--host-packages', '--out', directory);
    await succeed('bundle', 'export', directory, '--out', file);
    lab = await labUp(NAME, '--workers', '2', '--no-cluster', '--bundle', file);
    const text = await readFile(lab.clusterFile, 'utf8');
    const spec = 'spec:\n  distribution: chain\n  preparation: {packages: install}\n';
    await writeFile(lab.clusterFile, text.replace(/^spec:\n/m, spec));
    for (const node of NODES) {
      const purge = `apt-get purge -y -q ${PROGRAMS.join(' ')} >/dev/null 2>&1; rm -rf /var/lib/apt/lists/*`;
      await onNode(lab, node, purge);
      await onNode(lab, node, GAP);
    }
  });
  afterAll(() => labDown(NAME));

  it('is complete: hosts pass it on, install their packages from it, and the cluster works', async () => {
    for (const node of NODES) expect(await found(node)).toBe('');
    expect(
      await onNode(lab, 'w1', 'timeout 3 bash -c "</dev/tcp/192.0.2.1/443" 2>/dev/null; echo $?'),
    ).toMatch(/^(?!0)/);
    await succeed('apply', '-c', lab.clusterFile);
    for (const node of NODES) {
      expect((await found(node)).trim().split('\n')).toHaveLength(PROGRAMS.length);
      expect((await traces(node)).trim().split(/\s+/).sort()).toEqual(
        expect.not.arrayContaining(['delivered', 'packages']),
      );
      expect(await traces(node)).not.toContain('keelson-relay');
    }
    expect(await succeed('verify', '-c', lab.clusterFile)).toContain('all ');
    expect(await succeed('apply', '-c', lab.clusterFile)).toContain('Nothing to change');
  });
});
