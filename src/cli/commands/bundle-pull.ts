import { join, resolve } from 'node:path';
import { isArchiveName } from '../../bundle/open.js';
import { pullArtifact } from '../../bundle/registry/pull-artifact.js';
import { pullBundle } from '../../bundle/upstream/pull.js';
import { readVersions } from '../../bundle/upstream/release.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import {
  ARCHIVE_OPTIONS,
  HOST_PACKAGES_OPTION,
  keysOption,
  PUBLIC_KEY_OPTION,
  requireArchive,
  withHostPackages,
} from '../bundle-options.js';
import { bundleProgress } from '../bundle-progress.js';
import { cacheDir, DEFAULT_KUBERNETES_VERSION, upstreamDir } from '../cache.js';
import { defineCommand } from '../command.js';
import { isOciTarget, withOciTarget } from '../oci-target.js';
import { outputDirectory } from '../output-path.js';
import { WEB_OPTIONS, webOptions } from '../web-options.js';
import { archiveTarget, writeArchive } from '../write-archive.js';

export const command = defineCommand({
  name: 'bundle pull',
  summary: 'a bundle of the official releases, or from an OCI registry',
  details: `Programs from dl.k8s.io and the projects' release pages, images from their registries; each is checked by its
published checksum or digest. Interrupted downloads go on where they stopped. HTTP_PROXY, HTTPS_PROXY and NO_PROXY
count, and so do logins of docker, podman and skopeo. oci://registry/repository:tag is what keelson bundle push pushed.`,
  arguments: '[address]',
  options: {
    kubernetesVersion: {
      flags: '--kubernetes-version <version>',
      description: 'v1.36.3, or v1.36 for its newest patch release',
      kind: 'string',
      default: DEFAULT_KUBERNETES_VERSION,
    },
    arch: {
      flags: '--arch <architecture>',
      description: 'of the hosts',
      kind: 'string',
      default: 'amd64',
      choices: ['amd64', 'arm64'],
    },
    ...WEB_OPTIONS,
    versions: {
      flags: '--versions <file>',
      description: 'YAML file: which etcd, CoreDNS, containerd, … go with which Kubernetes',
      kind: 'string',
    },
    imageRepository: {
      flags: '--image-repository <repository>',
      description: 'imageRepository of the cluster file (default registry.k8s.io)',
      kind: 'string',
    },
    out: {
      flags: '--out <path>',
      description: 'bundle directory (default: in the cache), or a file to carry, FILE.tar',
      kind: 'string',
    },
    ...PUBLIC_KEY_OPTION,
    ...HOST_PACKAGES_OPTION,
    ...ARCHIVE_OPTIONS,
  },
  run: async ({ args, options, io, global }) => {
    const { out } = options;
    const version = options.kubernetesVersion.replace(/^v?/, 'v');
    const architecture = options.arch === 'arm64' ? 'arm64' : 'amd64';
    const archive = out !== undefined && isArchiveName(out) ? out : undefined;
    requireArchive(archive, options);
    const target = archive === undefined ? null : await archiveTarget({ ...options, out: archive }, io);
    const [address] = args;
    if (out !== undefined && archive === undefined) await outputDirectory(out, io);
    const outDir = (kept: (exact: string) => string) => (exact: string) =>
      out === undefined || archive !== undefined ? kept(exact) : resolve(io.cwd, out);
    const bundle = await (address === undefined ? upstream() : fromRegistry(address));
    if (target !== null) return writeArchive(bundle, target, io, global);
    return { data: { dir: bundle.dir, lock: bundle.lock }, text: `${bundle.dir}\n` };

    async function upstream() {
      const pulled = await pullBundle({
        kubernetesVersion: version,
        architecture,
        outDir: outDir((exact) => upstreamDir(io, exact, architecture)),
        cacheDir: cacheDir(io),
        ...(await webOptions(options.mirrors, io)),
        ...(options.versions === undefined
          ? {}
          : { versions: await readVersions(resolve(io.cwd, options.versions)) }),
        imageRepository: options.imageRepository,
        onEvent: bundleProgress(io, global),
        signal: io.stop,
      });
      return options.hostPackages ? withHostPackages(pulled, io, global) : pulled;
    }

    async function fromRegistry(target: string) {
      if (!isOciTarget(target))
        throw new KeelsonError('USAGE', `${target}: is no address of a registry`, {
          hint: 'write oci://registry.example/repository:tag, or nothing for the official releases',
        });
      const keys = await keysOption(options.publicKey, io);
      return withOciTarget(target, options.mirrors, io, ({ registry, repository, tag }) =>
        pullArtifact(registry, {
          repository,
          tag,
          outDir: outDir((exact) => join(cacheDir(io), 'bundles', `${exact}-registry`)),
          cacheDir: cacheDir(io),
          keys,
          signal: io.stop,
        }),
      );
    }
  },
});
