import { TOOLS, type ToolName } from '../../bundle/helm.js';
import { isArchiveName } from '../../bundle/open.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { buildBundleWithProgress } from '../build-bundle.js';
import {
  ARCHIVE_OPTIONS,
  FOR_CLUSTER_OPTION,
  HOST_PACKAGES_OPTION,
  requireArchive,
  versionOption,
  withClusterExtras,
  withHostPackages,
} from '../bundle-options.js';
import { bundleDir, DEFAULT_KUBERNETES_VERSION } from '../cache.js';
import { clusterConfig } from '../cluster-options.js';
import { defineCommand } from '../command.js';
import { outputDirectory } from '../output-path.js';
import { WEB_OPTIONS } from '../web-options.js';
import { archiveTarget, writeArchive } from '../write-archive.js';

export const command = defineCommand({
  name: 'bundle build',
  summary: 'compile and assemble everything a cluster needs',
  details:
    'Compiles pinned Go modules and assembles OCI images. Cached by component: a second build takes seconds. With -c, images and manifests of that cluster’s network and add-ons come from their registries and addresses, or mirrors.',
  options: {
    kubernetesVersion: {
      flags: '--kubernetes-version <version>',
      description: `exact version (default that of -c, or ${DEFAULT_KUBERNETES_VERSION})`,
      kind: 'string',
    },
    ...FOR_CLUSTER_OPTION,
    ...WEB_OPTIONS,
    out: {
      flags: '--out <path>',
      description: 'bundle directory (default: in the cache), or a file to carry, FILE.tar',
      kind: 'string',
    },
    with: {
      flags: '--with <names>',
      description: `programs for the operator's machine too: ${TOOLS.join(', ')} (which renders charts of spec.addons)`,
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
    const config = options.config === undefined ? null : await clusterConfig(options.config, io);
    const version = versionOption(options.kubernetesVersion, config);
    const tools = toolsNamed(options.with);
    const archive = options.out !== undefined && isArchiveName(options.out) ? options.out : undefined;
    requireArchive(archive, options);
    const target = archive === undefined ? null : await archiveTarget({ ...options, out: archive }, io);
    const outDir =
      options.out === undefined || archive !== undefined
        ? bundleDir(io, version)
        : await outputDirectory(options.out, io);
    const built = await buildBundleWithProgress(
      { kubernetesVersion: version, outDir, installMissing: options.installTools, tools },
      io,
      global,
    );
    const grown =
      config === null ? built : await withClusterExtras(built, config, options.mirrors, io, global);
    const bundle = options.hostPackages ? await withHostPackages(grown, io, global) : grown;
    if (target !== null) return writeArchive(bundle, target, io, global);
    return { data: { dir: bundle.dir, lock: bundle.lock }, text: `${bundle.dir}\n` };
  },
});

/** Names with commas between. @throws USAGE for what there is no such program of */
function toolsNamed(names: string | undefined): ToolName[] {
  return (names ?? '')
    .split(',')
    .filter((name) => name !== '')
    .map((name) => {
      const tool = TOOLS.find((known) => known === name);
      if (tool !== undefined) return tool;
      throw new KeelsonError('USAGE', `--with ${name}: there is no such program`, {
        hint: `there are ${TOOLS.join(', ')}`,
      });
    });
}
