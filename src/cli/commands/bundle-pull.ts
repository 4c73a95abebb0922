import { join, resolve } from 'node:path';
import type { Architecture } from '../../bundle/lock.js';
import { isArchiveName } from '../../bundle/open.js';
import { pullArtifact } from '../../bundle/registry/pull-artifact.js';
import { pullBundle } from '../../bundle/upstream/pull.js';
import { readVersions } from '../../bundle/upstream/release.js';
import { statedArchitectures } from '../../config/inventory.js';
import { readText } from '../../config/read-text.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { ownReferences } from '../../workflows/online-bundle.js';
import {
  ARCHIVE_OPTIONS,
  FOR_CLUSTER_OPTION,
  HOST_PACKAGES_OPTION,
  keysOption,
  PUBLIC_KEY_OPTION,
  requireArchive,
  versionOption,
  withClusterExtras,
  withHostPackages,
} from '../bundle-options.js';
import { bundleProgress } from '../bundle-progress.js';
import { cacheDir, DEFAULT_KUBERNETES_VERSION, upstreamDir } from '../cache.js';
import { clusterConfig } from '../cluster-options.js';
import { defineCommand } from '../command.js';
import { isOciTarget, withOciTarget } from '../oci-target.js';
import { outputDirectory } from '../output-path.js';
import { WEB_OPTIONS, webOptions } from '../web-options.js';
import { archiveTarget, writeArchive } from '../write-archive.js';

const MOST_CA_BYTES = 1024 * 1024;
const CA_REFUSAL = { code: 'PKI', hint: 'name a file with one CA certificate in PEM' } as const;

export const command = defineCommand({
  name: 'bundle pull',
  summary: 'a bundle of the official releases, or from an OCI registry',
  details: `Programs from dl.k8s.io and the projects' release pages, images from their registries; each is checked by its
published checksum or digest, kubelet, kubeadm and kubectl by their signature where it is there. Interrupted downloads go on where they stopped. HTTP_PROXY, HTTPS_PROXY and NO_PROXY
count, and so do logins of docker, podman and skopeo. oci://registry/repository:tag is what keelson bundle push pushed.`,
  arguments: '[address]',
  options: {
    kubernetesVersion: {
      flags: '--kubernetes-version <version>',
      description: `v1.36.3, or v1.36 for its newest patch release (default that of -c, or ${DEFAULT_KUBERNETES_VERSION})`,
      kind: 'string',
    },
    ...FOR_CLUSTER_OPTION,
    arch: {
      flags: '--arch <architectures>',
      description:
        'of the hosts: amd64, arm64, or amd64,arm64 for a bundle with both (default those of -c, or amd64)',
      kind: 'list',
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
    requireSignatures: {
      flags: '--require-signatures',
      description: 'refuse programs of Kubernetes whose published signature is missing',
      kind: 'boolean',
    },
    signatureCa: {
      flags: '--signature-ca <file>',
      description: 'CA certificate of who signs releases (default Sigstore’s)',
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
    const config = options.config === undefined ? null : await clusterConfig(options.config, io);
    const version = versionOption(options.kubernetesVersion, config);
    const named = options.arch.length > 0 || config === null ? options.arch : statedArchitectures(config);
    const { architecture, others } = architecturesOption(named);
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
        others,
        outDir: outDir((exact) => upstreamDir(io, exact, [architecture, ...others])),
        cacheDir: cacheDir(io),
        ...(await webOptions(options.mirrors, io)),
        ...(options.versions === undefined
          ? {}
          : { versions: await readVersions(resolve(io.cwd, options.versions)) }),
        imageRepository: options.imageRepository ?? config?.cluster.imageRepository,
        ...(config === null ? {} : { references: ownReferences(config.cluster) }),
        requireSignatures: options.requireSignatures,
        ...(options.signatureCa === undefined
          ? {}
          : {
              signatureAuthorities: [
                await readText(resolve(io.cwd, options.signatureCa), MOST_CA_BYTES, CA_REFUSAL),
              ],
            }),
        onEvent: bundleProgress(io, global),
        signal: io.stop,
      });
      const grown =
        config === null ? pulled : await withClusterExtras(pulled, config, options.mirrors, io, global);
      return options.hostPackages ? withHostPackages(grown, io, global) : grown;
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

/** @throws USAGE for what is no architecture */
function architecturesOption(names: readonly string[]): {
  architecture: Architecture;
  others: Architecture[];
} {
  const known: readonly Architecture[] = ['amd64', 'arm64'];
  const unknown = names.find((name) => !known.some((one) => one === name));
  if (unknown !== undefined)
    throw new KeelsonError('USAGE', `--arch ${unknown}: is none`, { hint: 'name amd64, arm64, or both' });
  // In one order, so that equal contents give equal bundles.
  const [architecture = 'amd64', ...others] = known.filter((one) => names.includes(one));
  return { architecture, others };
}
