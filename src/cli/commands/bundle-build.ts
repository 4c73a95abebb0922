import { isArchiveName } from '../../bundle/open.js';
import { buildBundleWithProgress } from '../build-bundle.js';
import {
  ARCHIVE_OPTIONS,
  HOST_PACKAGES_OPTION,
  requireArchive,
  withHostPackages,
} from '../bundle-options.js';
import { bundleDir, DEFAULT_KUBERNETES_VERSION } from '../cache.js';
import { defineCommand } from '../command.js';
import { outputDirectory } from '../output-path.js';
import { archiveTarget, writeArchive } from '../write-archive.js';

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
    out: {
      flags: '--out <path>',
      description: 'bundle directory (default: in the cache), or a file to carry, FILE.tar',
      kind: 'string',
    },
    ...HOST_PACKAGES_OPTION,
    ...ARCHIVE_OPTIONS,
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
    const archive = options.out !== undefined && isArchiveName(options.out) ? options.out : undefined;
    requireArchive(archive, options);
    const target = archive === undefined ? null : await archiveTarget({ ...options, out: archive }, io);
    const outDir =
      options.out === undefined || archive !== undefined
        ? bundleDir(io, version)
        : await outputDirectory(options.out, io);
    const built = await buildBundleWithProgress(
      { kubernetesVersion: version, outDir, installMissing: options.installTools },
      io,
      global,
    );
    const bundle = options.hostPackages ? await withHostPackages(built, io, global) : built;
    if (target !== null) return writeArchive(bundle, target, io, global);
    return { data: { dir: bundle.dir, lock: bundle.lock }, text: `${bundle.dir}\n` };
  },
});
