import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FILE_TABLE } from '../../src/bundle/file-table.js';
import type { BundleFile } from '../../src/bundle/lock.js';
import { loadClusterConfig } from '../../src/config/load.js';
import type { ClusterConfig } from '../../src/config/types.js';
import type { FleetOptions, SshdFleet } from './sshd-fleet.js';

export const VERSION = 'v1.36.3';

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

/** A fleet of hosts on which phases that need no Kubernetes can be applied. */
export const FLEET: FleetOptions = {
  own: ['/var/lib'],
  copied: ['/usr', '/etc', '/opt'],
  programs: { '/usr/bin/systemctl': SYSTEMCTL },
};

/** Programs of every name, small and made up, as blobs of a bundle directory; `mark` makes them others. */
export async function smallPrograms(dir: string, mark = ''): Promise<BundleFile[]> {
  const store = join(dir, 'blobs', 'sha256');
  await mkdir(store, { recursive: true });
  const files: BundleFile[] = [];
  for (const { name, path } of FILE_TABLE) {
    const content = Buffer.from(`#!/bin/sh\nexit 0 # ${name}${mark}\n`);
    const sha256 = createHash('sha256').update(content).digest('hex');
    await writeFile(join(store, sha256), content);
    const roles: ('control-plane' | 'worker')[] = ['control-plane', 'worker'];
    files.push({ name, path, mode: 0o755, sha256, size: content.length, version: 'v1', roles });
  }
  return files;
}

/** A cluster of all hosts of a fleet, the first of which is its control plane, with the bundle `./bundle`. */
export async function fleetCluster(directory: string, fleet: SshdFleet): Promise<ClusterConfig> {
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
  return loadClusterConfig(file, { homeDir: directory, env: {} });
}
