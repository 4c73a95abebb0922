import { createHash } from 'node:crypto';
import { KeelsonError } from '../errors/keelson-error.js';
import { architecturesOf, type BundleLock, locksByArchitecture, plainFiles } from './lock.js';

/** Name of the bill of materials within a bundle. */
export const SBOM_FILE = 'sbom.spdx.json';

const DOCUMENT = 'SPDXRef-DOCUMENT';
const BUNDLE = 'SPDXRef-bundle';

interface Package {
  id: string;
  name: string;
  version: string;
  purpose: string;
  purl?: string;
  sha256?: string;
  fileName?: string;
  /** Where it was downloaded. */
  location?: string;
}

/** A bill of materials in SPDX 2.3 (JSON); the same lock gives the same bytes. */
export function sbomOf(lock: BundleLock, lockText: Buffer): Buffer {
  const packages = [
    ...locksByArchitecture(lock).flatMap((one, index) =>
      packagesOf(one, index === 0 ? '' : `-${one.architecture}`),
    ),
    ...(lock.manifests ?? []).map(
      ({ url, sha256 }): Package => ({
        id: `manifest-${sha256.slice(0, 16)}`,
        name: url.split('/').at(-1) || url,
        version: sha256.slice(0, 16),
        purpose: 'FILE',
        location: url,
        sha256,
      }),
    ),
  ];
  const name = `keelson-bundle-${lock.kubernetesVersion}-${architecturesOf(lock).join('-')}`;
  const document = {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: DOCUMENT,
    name,
    documentNamespace: `https://keelson.dev/spdx/${createHash('sha256').update(lockText).digest('hex')}`,
    // Fixed, as all dates of a bundle, so that it can be made again bit by bit.
    creationInfo: { created: '1970-01-01T00:00:00Z', creators: ['Tool: keelson'] },
    packages: [
      spdxPackage({ id: 'bundle', name, version: lock.kubernetesVersion, purpose: 'ARCHIVE' }),
      ...packages.map(spdxPackage),
    ],
    relationships: [
      { spdxElementId: DOCUMENT, relationshipType: 'DESCRIBES', relatedSpdxElement: BUNDLE },
      ...packages.map(({ id }) => ({
        spdxElementId: BUNDLE,
        relationshipType: id.startsWith('component-') ? 'GENERATED_FROM' : 'CONTAINS',
        relatedSpdxElement: refOf(id),
      })),
    ],
  };
  return Buffer.from(`${JSON.stringify(document, null, 2)}\n`);
}

/** What hosts of one architecture get; ids of further architectures have it at their end. */
function packagesOf(lock: BundleLock, suffix: string): Package[] {
  const packages = [
    ...lock.components.map(
      ({ name, version, module }): Package => ({
        id: `component-${name}`,
        name: /^(https:|$)/.test(module) ? name : module,
        version,
        purpose: 'SOURCE',
        ...(module.startsWith('https://') ? { location: module } : {}),
        ...(/^(https:|$)/.test(module) ? {} : { purl: `pkg:golang/${module}@${version}` }),
      }),
    ),
    ...(suffix === '' ? lock.packages : []).map(
      ({ name, version, sha256 }): Package => ({
        id: `deb-${name}`,
        name,
        version,
        purpose: 'LIBRARY',
        purl: `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=${lock.architecture}`,
        sha256,
      }),
    ),
    ...lock.files.map(
      ({ name, version, sha256, path }): Package => ({
        id: `file-${name}`,
        name,
        version,
        purpose: 'APPLICATION',
        sha256,
        fileName: path,
      }),
    ),
    ...(lock.tools ?? []).map(
      ({ name, version, sha256 }): Package => ({
        id: `tool-${name}`,
        name,
        version,
        purpose: 'APPLICATION',
        sha256,
      }),
    ),
    ...(lock.hostPackages ?? []).map(
      ({ name, version, os, sha256 }): Package => ({
        id: `host-package-${name}`,
        name,
        version,
        purpose: 'INSTALL',
        purl: `pkg:deb/${os.split('-')[0]}/${name}@${encodeURIComponent(version)}?arch=${lock.architecture}&distro=${os}`,
        sha256,
      }),
    ),
    ...lock.images.map(({ name, reference, digest }): Package => {
      const at = reference.lastIndexOf(':');
      const repository = reference.slice(0, at);
      return {
        id: `image-${name}`,
        name: repository,
        version: reference.slice(at + 1),
        purpose: 'CONTAINER',
        purl: `pkg:oci/${repository.split('/').at(-1)}@${encodeURIComponent(digest)}?arch=${lock.architecture}&repository_url=${encodeURIComponent(repository)}`,
        sha256: digest.slice('sha256:'.length),
      };
    }),
  ];
  return packages.map((entry) => ({ ...entry, id: `${entry.id}${suffix}` }));
}

/**
 * Nothing, where a bill of materials lists every file, image and package of the lock with its digest.
 * @throws KeelsonError BUNDLE
 */
export function checkSbom(sbom: Buffer, lock: BundleLock, place: string): void {
  const listed = new Set<string>();
  try {
    const { packages } = JSON.parse(sbom.toString('utf8')) as {
      packages: { checksums?: { checksumValue: string }[] }[];
    };
    for (const { checksums = [] } of packages)
      for (const { checksumValue } of checksums) listed.add(checksumValue);
  } catch (cause) {
    throw new KeelsonError('BUNDLE', `${place}: ${SBOM_FILE} is no SPDX document`, {
      cause,
      hint: 'copy the bundle once more, or export it again',
    });
  }
  const wanted = [
    ...[...plainFiles(lock), ...lock.packages].map(({ name, sha256 }) => ({ name, sha256 })),
    ...locksByArchitecture(lock)
      .flatMap(({ images }) => images)
      .map(({ reference, digest }) => ({
        name: reference,
        sha256: digest.slice('sha256:'.length),
      })),
  ];
  const absent = wanted.find(({ sha256 }) => !listed.has(sha256));
  if (absent !== undefined)
    throw new KeelsonError('BUNDLE', `${place}: ${SBOM_FILE} does not list ${absent.name}`, {
      hint: 'export the bundle again',
    });
}

function spdxPackage({ id, name, version, purpose, purl, sha256, fileName, location }: Package) {
  return {
    SPDXID: refOf(id),
    name,
    versionInfo: version,
    ...(fileName === undefined ? {} : { packageFileName: fileName }),
    primaryPackagePurpose: purpose,
    downloadLocation: location ?? 'NOASSERTION',
    filesAnalyzed: false,
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: 'NOASSERTION',
    copyrightText: 'NOASSERTION',
    ...(sha256 === undefined ? {} : { checksums: [{ algorithm: 'SHA256', checksumValue: sha256 }] }),
    ...(purl === undefined
      ? {}
      : {
          externalRefs: [
            { referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: purl },
          ],
        }),
  };
}

/** SPDX allows letters, digits, dots and dashes. */
function refOf(id: string): string {
  return `SPDXRef-${id.replace(/[^A-Za-z0-9.-]/g, '-')}`;
}
