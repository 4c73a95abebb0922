import type { KeyObject } from 'node:crypto';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseClusterConfig } from '../../src/config/load.js';
import type { EncryptionAlgorithm } from '../../src/config/types.js';
import { contentsOf, issueClusterPki, issueHostPki, type PkiFiles } from '../../src/pki/cluster-pki.js';
import { generateKey } from '../../src/pki/keys.js';
import { planCertificates } from '../../src/pki/plan-certificates.js';
import type { PkiScope } from '../../src/pki/table.js';
import { CASES, randomCase } from './certs-scenarios.js';
import { type BuildOptions, keelsonYaml, kubeadmYaml } from './config-builder.js';
import { kubeadmAvailable, ORACLE_VERSIONS, runKubeadm, withOracleDirectory } from './oracle.js';
import { pkiSummary } from './pki-summary.js';

const RANDOM_CASES = Number(process.env.KEELSON_RANDOM_CERTS ?? 40);

for (const version of ORACLE_VERSIONS) {
  describe.skipIf(!kubeadmAvailable(version))(
    `certificates and kubeconfigs as kubeadm ${version} makes them`,
    () => {
      for (const [name, options] of Object.entries(CASES)) {
        it(name, () => expectSame({ ...options, kubernetesVersion: version }));
      }

      it(`${RANDOM_CASES} random configurations`, async () => {
        await fc.assert(
          fc.asyncProperty(randomCase(), (options) => expectSame({ ...options, kubernetesVersion: version })),
          { numRuns: RANDOM_CASES, endOnFailure: true },
        );
      });
    },
  );
}

/** Both sides' files for one configuration are equal, and each accepts the other's. */
async function expectSame(given: BuildOptions): Promise<void> {
  await withOracleDirectory(async (directory) => {
    const theirs = await theirFiles(given, join(directory, 'theirs'));
    const ours = await ourFiles(given, join(directory, 'ours'));
    expect(pkiSummary(ours)).toEqual(pkiSummary(theirs));
    await expectKubeadmAccepts(given, join(directory, 'ours'), ours);
    expectKeelsonAccepts(given, join(directory, 'theirs'), theirs);
  });
}

function located(given: BuildOptions, directory: string): BuildOptions {
  return { ...given, cluster: { ...given.cluster, certificatesDir: join(directory, 'pki') } };
}

function resolved(given: BuildOptions, directory: string): PkiScope {
  const { cluster, hosts } = parseClusterConfig(keelsonYaml(located(given, directory)), {
    homeDir: directory,
  });
  const [host] = hosts;
  if (!host) throw new Error('no host');
  return { cluster, host };
}

async function theirFiles(given: BuildOptions, directory: string): Promise<PkiFiles> {
  await runPhases(given, directory);
  const files: PkiFiles = new Map();
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || entry.name === 'config.yaml') continue;
    files.set(relative(directory, path), {
      content: await readFile(path),
      mode: (await stat(path)).mode & 0o777,
    });
  }
  return files;
}

async function runPhases(given: BuildOptions, directory: string): Promise<string> {
  await mkdir(directory, { recursive: true });
  const file = join(directory, 'config.yaml');
  await writeFile(file, kubeadmYaml(located(given, directory)));
  const phase = (name: string, ...flags: string[]) =>
    runKubeadm(given.kubernetesVersion, ['init', 'phase', name, 'all', '--config', file, ...flags], {
      cwd: directory,
    });
  const certs = await phase('certs');
  const kubeconfigs = await phase('kubeconfig', '--kubeconfig-dir', join(directory, 'conf'));
  return certs.stdout + kubeconfigs.stdout;
}

async function ourFiles(given: BuildOptions, directory: string): Promise<PkiFiles> {
  const { cluster, host } = resolved(given, directory);
  const context = { now: new Date(), generateKey: pooledKey };
  // The authorities are a little older, so that what starts with its authority differs from what is backdated.
  const earlier = { ...context, now: new Date(context.now.getTime() - 3_000) };
  const shared = await issueClusterPki({ cluster, context: earlier });
  const own = await issueHostPki({ cluster, host, existing: contentsOf(shared), context });
  return new Map(
    [...shared, ...own].map(([path, file]) => [
      path.startsWith(directory)
        ? relative(directory, path)
        : join('conf', relative('/etc/kubernetes', path)),
      file,
    ]),
  );
}

const pool = new Map<EncryptionAlgorithm, KeyObject[]>();
let drawn = 0;

/** Keys of a small pool, since their bits don't matter here; RSA keys are slow to make. */
async function pooledKey(algorithm: EncryptionAlgorithm): Promise<KeyObject> {
  let keys = pool.get(algorithm);
  if (!keys) {
    keys = await Promise.all([1, 2, 3].map(() => generateKey(algorithm)));
    pool.set(algorithm, keys);
  }
  const key = keys[drawn++ % keys.length];
  if (!key) throw new Error('empty pool');
  return key;
}

async function expectKubeadmAccepts(given: BuildOptions, directory: string, files: PkiFiles): Promise<void> {
  for (const [path, file] of files) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), file.content, { mode: file.mode });
  }
  const output = await runPhases(given, directory);
  expect(output).not.toMatch(/Generating|Writing/);
  for (const [path, file] of files) expect(await readFile(join(directory, path))).toEqual(file.content);
}

function expectKeelsonAccepts(given: BuildOptions, directory: string, files: PkiFiles): void {
  const { cluster, host } = resolved(given, directory);
  const existing = new Map(
    [...files].map(([path, file]) => [
      path.startsWith('conf/') ? `/etc/kubernetes/${path.slice(5)}` : join(directory, path),
      file.content,
    ]),
  );
  const plan = planCertificates({ cluster, host, existing, now: new Date() });
  expect(plan.map(({ name, standing, findings }) => ({ name, standing, findings }))).toEqual(
    plan.map(({ name }) => ({ name, standing: 'ok', findings: [] })),
  );
}
