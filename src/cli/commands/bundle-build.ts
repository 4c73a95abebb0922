import { resolve } from 'node:path';
import { buildBundleWithProgress } from '../build-bundle.js';
import { bundleDir, DEFAULT_KUBERNETES_VERSION } from '../cache.js';
import { defineCommand } from '../command.js';

export const command = defineCommand({
  name: 'bundle build',
  summary: 'compile and assemble everything a cluster needs',
  details:
    'Compiles pinned Go modules and assembles OCI images. Cached by component: a second build takes seconds.',
  options: {
    kubernetesVersion: {
      flags: '--kubernetes-version <version>',
      description: 'exact version',
      kind: 'string',
      default: DEFAULT_KUBERNETES_VERSION,
    },
    out: { flags: '--out <dir>', description: 'bundle directory (default: in the cache)', kind: 'string' },
    installTools: {
      flags: '--install-tools',
      description: 'install missing build tools (root on Debian)',
      kind: 'boolean',
    },
  },
  run: async ({ options, io, global }) => {
    const version = options.kubernetesVersion.startsWith('v')
      ? options.kubernetesVersion
      : `v${options.kubernetesVersion}`;
    const outDir = options.out === undefined ? bundleDir(io, version) : resolve(io.cwd, options.out);
    const bundle = await buildBundleWithProgress(
      { kubernetesVersion: version, outDir, installMissing: options.installTools },
      io,
      global,
    );
    return { data: { dir: bundle.dir, lock: bundle.lock }, text: `${bundle.dir}\n` };
  },
});
