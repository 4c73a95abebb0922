import { existsSync } from 'node:fs';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Pod } from 'kubernetes-types/core/v1.js';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { parseClusterConfig } from '../../src/config/load.js';
import { CA_DIRECTORIES } from '../../src/manifests/host-ca-directories.js';
import { renderStaticPods } from '../../src/manifests/render.js';
import { firstMembers } from '../../src/manifests/static-pods/etcd.js';
import { contentsOf, issueClusterPki, issueHostPki, type PkiFiles } from '../../src/pki/cluster-pki.js';
import { keyIsElsewhere, leavesOf } from '../../src/pki/table.js';
import { kubeadmAvailable, ORACLE_VERSIONS, runKubeadm, withOracleDirectory } from './oracle.js';
import { pkiSummary } from './pki-summary.js';

const ADDRESSES = ['10.0.0.11', '10.0.0.12', '10.0.0.13'];

function keelsonFile(version: string, certificatesDir: string): string {
  const hosts = ADDRESSES.map((address, i) => ({ name: `etcd${i + 1}`, role: 'etcd', address }));
  return [
    {
      apiVersion: 'keelson.dev/v1alpha1',
      kind: 'Cluster',
      metadata: { name: 'demo' },
      spec: {
        hosts: [{ name: 'cp1', role: 'control-plane', address: '10.0.0.1' }, ...hosts],
        network: { plugin: 'none' },
      },
    },
    {
      apiVersion: 'kubeadm.k8s.io/v1beta4',
      kind: 'ClusterConfiguration',
      kubernetesVersion: version,
      certificatesDir,
      encryptionAlgorithm: 'ECDSA-P256',
      etcd: { local: { dataDir: '/srv/etcd', peerCertSANs: ['etcd.example'] } },
    },
  ]
    .map((document) => stringify(document, { compat: 'yaml-1.1' }))
    .join('---\n');
}

/** What kubeadm's guide to an external etcd gives to a member, as far as kubeadm has no default for it. */
function guideFile(version: string, certificatesDir: string, initialCluster: string): string {
  return [
    {
      apiVersion: 'kubeadm.k8s.io/v1beta4',
      kind: 'InitConfiguration',
      nodeRegistration: { name: 'etcd2', criSocket: 'unix:///run/containerd/containerd.sock' },
      localAPIEndpoint: { advertiseAddress: ADDRESSES[1] },
    },
    {
      apiVersion: 'kubeadm.k8s.io/v1beta4',
      kind: 'ClusterConfiguration',
      kubernetesVersion: version,
      certificatesDir,
      encryptionAlgorithm: 'ECDSA-P256',
      etcd: {
        local: {
          dataDir: '/srv/etcd',
          peerCertSANs: ['etcd.example'],
          extraArgs: [{ name: 'initial-cluster', value: initialCluster }],
        },
      },
    },
  ]
    .map((document) => stringify(document, { compat: 'yaml-1.1' }))
    .join('---\n');
}

/** A flag that a user gives stands behind kubeadm's own; etcd does not mind the order. */
function podOf(manifest: string): Pod {
  const pod = parse(manifest) as Pod;
  pod.spec?.containers[0]?.command?.sort();
  return pod;
}

async function filesIn(directory: string): Promise<PkiFiles> {
  const files: PkiFiles = new Map();
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || !path.includes('/pki/etcd/')) continue;
    files.set(relative(directory, path), {
      content: await readFile(path),
      mode: (await stat(path)).mode & 0o777,
    });
  }
  return files;
}

describe.each(ORACLE_VERSIONS)('a host of role etcd beside the guide of kubeadm %s', (version) => {
  const test = it.skipIf(!kubeadmAvailable(version));

  test('has the manifest and the certificates that kubeadm makes for it', async () => {
    await withOracleDirectory(async (directory) => {
      const pki = join(directory, 'pki');
      const config = parseClusterConfig(keelsonFile(version, pki), { homeDir: directory });
      const [cp1, , host] = config.hosts;
      if (cp1 === undefined || host === undefined) throw new Error('no host');
      const members = firstMembers(config, host).map(({ name, peerURL }) => `${name}=${peerURL}`);
      const file = join(directory, 'kubeadm.yaml');
      await writeFile(file, guideFile(version, pki, members.join(',')));
      const phase = (...args: string[]) =>
        runKubeadm(version, ['init', 'phase', ...args, '--config', file], {
          cwd: directory,
          offline: true,
          env: { KUBEADM_INIT_DRYRUN_DIR: directory },
        });
      for (const name of ['etcd-ca', 'etcd-server', 'etcd-peer', 'etcd-healthcheck-client'])
        await phase('certs', name);
      await phase('etcd', 'local', '--dry-run');

      const caDirectories = CA_DIRECTORIES.filter((path) => existsSync(path));
      const [[, ours = ''] = []] = renderStaticPods(config, host, { caDirectories });
      expect(podOf(ours)).toEqual(podOf(await readFile(join(directory, 'etcd.yaml'), 'utf8')));

      const context = { now: new Date() };
      const shared = await issueClusterPki({ cluster: config.cluster, context });
      const existing = contentsOf(shared);
      const own = await issueHostPki({ cluster: config.cluster, host, existing, context });
      const made = [...shared, ...own].filter(([path]) => path.startsWith(`${pki}/etcd/`));
      const issued: PkiFiles = new Map(made.map(([path, content]) => [relative(directory, path), content]));
      expect(pkiSummary(issued)).toEqual(pkiSummary(await filesIn(directory)));

      // The client's certificate comes from the same authority, and the authority's key stays away from it.
      expect(leavesOf(config.cluster, cp1.role).map(({ name }) => name)).toContain('apiserver-etcd-client');
      expect(keyIsElsewhere(config.cluster, cp1.role, 'etcd-ca')).toBe(true);
    });
  });
});
