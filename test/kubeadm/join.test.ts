import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConfigMap, Secret } from 'kubernetes-types/core/v1.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { bootstrapKubeconfig } from '../../src/join/bootstrap-kubeconfig.js';
import { clusterInfoConfigMap } from '../../src/join/cluster-info.js';
import { joinCommand } from '../../src/join/join-command.js';
import { parseToken, tokenFromSecret, tokenSecret } from '../../src/join/token.js';
import { readKubeconfig } from '../../src/pki/kubeconfig.js';
import { kubeadmYaml } from './config-builder.js';
import { kubeadmAvailable, ORACLE_VERSIONS, runKubeadm, withOracleDirectory } from './oracle.js';

const TOKEN = 'abcdef.0123456789abcdef';

for (const version of ORACLE_VERSIONS) {
  describe.skipIf(!kubeadmAvailable(version))(`joining as kubeadm ${version} arranges it`, () => {
    it('has the same token Secret and cluster-info', async () => {
      await inCluster(version, async ({ config, conf, run }) => {
        const dryRun = ['init', 'phase', 'bootstrap-token', '--dry-run', '--config', config];
        const { stdout } = await run([...dryRun, '--kubeconfig', join(conf, 'admin.conf')]);
        const theirs = objects(stdout);
        const secret = theirs.find(({ kind }) => kind === 'Secret');
        const spec = tokenFromSecret(secret ?? {});
        if (!spec) throw new Error('kubeadm printed no token');
        expect(tokenSecret(spec, new Date())).toEqual(secret);
        const { server, caPem } = await adminAddress(conf);
        const clusterInfo = theirs.find(({ kind }) => kind === 'ConfigMap');
        expect(clusterInfoConfigMap({ server, caPem: caPem ?? '' })).toEqual(clusterInfo);
      });
    });

    it('has the same join command and expiry of a token', async () => {
      await inCluster(version, async ({ conf, run }) => {
        const before = new Date();
        const { stdout } = await run([
          ...['token', 'create', TOKEN, '--dry-run', '--print-join-command', '--ttl', '90m'],
          ...['--kubeconfig', join(conf, 'admin.conf')],
        ]);
        const { server, caPem } = await adminAddress(conf);
        const command = joinCommand({ server, caPem: caPem ?? '' }, TOKEN);
        expect(
          stdout
            .split('\n')
            .find((line) => line.startsWith('kubeadm join'))
            ?.trim(),
        ).toBe(command);
        const theirs = tokenFromSecret(objects(stdout)[0] ?? {});
        const spec = { token: TOKEN, ttl: '90m', usages: theirs?.usages ?? [], groups: theirs?.groups ?? [] };
        const ours = tokenFromSecret(tokenSecret(spec, before));
        expect({ ...ours, expires: null }).toEqual({ ...theirs, expires: null });
        expect(parseToken(theirs?.token ?? '').id).toBe('abcdef');
        expect(Math.abs(Date.parse(ours?.expires ?? '') - Date.parse(theirs?.expires ?? ''))).toBeLessThan(
          10_000,
        );
      });
    });

    it('has the same kubeconfig with a token', async () => {
      await inCluster(version, async ({ config, conf, run }) => {
        const user = ['--client-name', 'tls-bootstrap-token-user', '--token', TOKEN];
        const { stdout } = await run(['kubeconfig', 'user', ...user, '--config', config]);
        const { server, caPem } = await adminAddress(conf);
        expect(bootstrapKubeconfig({ server, caPem: caPem ?? '' }, TOKEN)).toBe(`${stdout.trim()}\n`);
      });
    });
  });
}

interface Cluster {
  config: string;
  /** Directory of kubeconfigs. */
  conf: string;
  run: (args: readonly string[]) => ReturnType<typeof runKubeadm>;
}

async function inCluster(version: string, body: (cluster: Cluster) => Promise<void>): Promise<void> {
  await withOracleDirectory(async (directory) => {
    const config = join(directory, 'config.yaml');
    const conf = join(directory, 'conf');
    const scratch = join(directory, 'dry-run');
    const cluster = {
      certificatesDir: join(directory, 'pki'),
      encryptionAlgorithm: 'ECDSA-P256',
      controlPlaneEndpoint: 'lb.example.com:6443',
    } as const;
    await writeFile(config, kubeadmYaml({ kubernetesVersion: version, cluster }));
    const run = (args: readonly string[]) =>
      runKubeadm(version, args, { cwd: directory, env: { KUBEADM_INIT_DRYRUN_DIR: scratch } });
    await run(['init', 'phase', 'certs', 'all', '--config', config]);
    await run(['init', 'phase', 'kubeconfig', 'all', '--config', config, '--kubeconfig-dir', conf]);
    await mkdir(scratch);
    await copyFile(join(conf, 'admin.conf'), join(scratch, 'admin.conf'));
    await body({ config, conf, run });
  });
}

async function adminAddress(conf: string) {
  return readKubeconfig(await readFile(join(conf, 'admin.conf'), 'utf8'), 'admin.conf');
}

/** The objects that a dry run prints, each after a line of its own and before an empty one. */
function objects(stdout: string): (Secret & ConfigMap)[] {
  return stdout
    .split('Attached object:\n')
    .slice(1)
    .map((text) => parse(text.split('\n\n')[0] ?? ''));
}
