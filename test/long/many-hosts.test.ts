import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { finishDirectory } from '../../src/bundle/directory.js';
import { FILE_TABLE } from '../../src/bundle/file-table.js';
import { loadClusterConfig } from '../../src/config/load.js';
import type { ClusterConfig } from '../../src/config/types.js';
import { installKubelet } from '../../src/phases/kubelet/install.js';
import { containerd } from '../../src/phases/runtime/containerd.js';
import { applyCluster } from '../../src/workflows/apply.js';
import { changesIn, makePlan } from '../../src/workflows/plan.js';
import { openSession } from '../../src/workflows/session.js';
import { SSHD_MISSING, type SshdFleet, startSshdFleet } from '../contract/sshd-fleet.js';

const COUNT = 100;
const VERSION = 'v1.36.3';
/** What comes before anything of Kubernetes runs. */
const PHASES = [containerd, installKubelet];

/** systemd does not run there: this remembers what it was told. */
const SYSTEMCTL = `#!/bin/sh
state=/var/lib/keelson-units
mkdir -p $state
op=$1; shift
case $op in
show)
  while [ "$1" != -- ]; do shift; done; shift
  for unit in "$@"; do
    load=not-found; active=inactive; enabled=
    for d in /etc/systemd/system /usr/lib/systemd/system; do [ -e $d/$unit ] && load=loaded enabled=disabled; done
    [ -e $state/$unit.enabled ] && enabled=enabled
    [ -e $state/$unit.active ] && active=active
    printf 'LoadState=%s\\nActiveState=%s\\nSubState=x\\nUnitFileState=%s\\n\\n' $load $active $enabled
  done ;;
enable|start|restart)
  [ "$1" = -- ] && shift
  [ $op = enable ] && touch $state/$1.enabled || touch $state/$1.active ;;
esac
exit 0`;

let fleet: SshdFleet;
let directory: string;
let config: ClusterConfig;

/** Programs of every name, small and made up. */
async function smallBundle(dir: string): Promise<void> {
  const store = join(dir, 'blobs', 'sha256');
  await mkdir(store, { recursive: true });
  const files = [];
  for (const { name, path } of FILE_TABLE) {
    const content = Buffer.from(`#!/bin/sh\nexit 0 # ${name}\n`);
    const sha256 = createHash('sha256').update(content).digest('hex');
    await writeFile(join(store, sha256), content);
    const roles: ('control-plane' | 'worker')[] = ['control-plane', 'worker'];
    files.push({ name, path, mode: 0o755, sha256, size: content.length, version: 'v1', roles });
  }
  await finishDirectory(dir, {
    formatVersion: 1,
    kubernetesVersion: VERSION,
    architecture: 'amd64',
    source: 'modules',
    toolchain: { go: '', gcc: '' },
    components: [],
    packages: [],
    files,
    images: [],
  });
}

describe.skipIf(SSHD_MISSING !== undefined)(
  `${COUNT} hosts, each an OpenSSH server with files of its own`,
  () => {
    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'keelson-many-'));
      await smallBundle(join(directory, 'bundle'));
      fleet = await startSshdFleet(COUNT, {
        own: ['/var/lib'],
        copied: ['/usr', '/etc', '/opt'],
        programs: { '/usr/bin/systemctl': SYSTEMCTL },
        connect: false,
      });
      const hosts = fleet.addresses.map((address, index) => ({
        name: index === 0 ? 'cp1' : `w${index}`,
        role: index === 0 ? 'control-plane' : 'worker',
        address,
        nodeIP: `10.9.0.${index + 1}`,
      }));
      const { identityFile, port, fingerprint } = fleet;
      const cluster = {
        apiVersion: 'keelson.dev/v1alpha1',
        kind: 'Cluster',
        metadata: { name: 'many' },
        spec: {
          ssh: { user: 'root', port, identityFile },
          bundle: './bundle',
          hosts: hosts.map((host) => ({ ...host, hostKeyFingerprint: fingerprint })),
        },
      };
      const kubeadm = {
        apiVersion: 'kubeadm.k8s.io/v1beta4',
        kind: 'ClusterConfiguration',
        kubernetesVersion: VERSION,
        networking: { podSubnet: '10.244.0.0/16' },
        encryptionAlgorithm: 'ECDSA-P256',
      };
      const file = join(directory, 'cluster.yaml');
      // JSON is YAML.
      await writeFile(file, `${JSON.stringify(cluster)}\n---\n${JSON.stringify(kubeadm)}\n`);
      config = await loadClusterConfig(file, { homeDir: directory, env: {} });
    });
    afterAll(async () => {
      await fleet.close();
      await rm(directory, { recursive: true, force: true });
    });

    it('are planned and applied for the phases that need no Kubernetes, and a second time nothing is to do', async () => {
      const started = performance.now();
      const session = await openSession({ config, bundleCache: directory });
      try {
        const plan = await makePlan(session, { phases: PHASES });
        expect(plan.tasks).toHaveLength(COUNT * PHASES.length);
        expect(plan.tasks.every(({ standing }) => standing === 'missing')).toBe(true);
        const planned = performance.now();
        const result = await applyCluster(session, { phases: PHASES, preflight: false, owner: 'test' });
        expect(result.changed).toBe(changesIn(plan));
        const applied = performance.now();
        const again = await applyCluster(session, { phases: PHASES, preflight: false, owner: 'test' });
        expect(again.changed).toBe(0);
        const { rss } = process.memoryUsage();
        const seconds = (from: number, to: number) => `${((to - from) / 1000).toFixed(1)} s`;
        console.log(
          `figure: ${COUNT} hosts: connected and planned ${seconds(started, planned)}, applied ${seconds(planned, applied)} (${result.changed} changes), again ${seconds(applied, performance.now())}; ${Math.round(rss / 2 ** 20)} MiB`,
        );
      } finally {
        await session.close();
      }
    });
  },
);
