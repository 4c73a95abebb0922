import { createHash } from 'node:crypto';
import type { Bundle } from '../bundle.js';
import { platformIndex } from '../image.js';
import { type BundleImage, LOCK_FILE, locksByArchitecture } from '../lock.js';
import { SBOM_FILE } from '../sbom.js';
import { SIGNATURE_FILE } from '../signature.js';

/** What a path of the server stands for. */
export type Route =
  | { kind: 'api' }
  | { kind: 'blob'; bundle: Bundle; sha256: string; mediaType: string; manifest: boolean }
  /** A manifest that is in no bundle: which image is for which architecture. */
  | { kind: 'index'; bytes: Buffer; sha256: string }
  | { kind: 'text'; text: string }
  | { kind: 'paper'; bundle: Bundle; name: string };

const PAPERS: readonly string[] = [LOCK_FILE, SBOM_FILE, SIGNATURE_FILE];
const BINARY = 'application/octet-stream';
const KUBERNETES_PROGRAMS = ['kubelet', 'kubeadm', 'kubectl'];

/**
 * What a request is about; null for what is not there. A registry's read API (`/v2/`), the layout of dl.k8s.io
 * (`/release/<version>/bin/linux/<architecture>/<program>`), and every program as `/files/<name>`, both with
 * `.sha256` beside.
 */
export function routeOf(served: readonly Bundle[], path: string, query: URLSearchParams): Route | null {
  const bundles = served.flatMap(({ dir, lock }) =>
    locksByArchitecture(lock).map((own) => ({ dir, lock: own })),
  );
  if (path === '/v2' || path === '/v2/') return { kind: 'api' };
  const [, name, what, version = ''] = /^\/v2\/(.+)\/(manifests|blobs)\/([\w:.-]+)$/.exec(path) ?? [];
  if (name !== undefined)
    return what === 'manifests'
      ? manifestRoute(bundles, name, version, query.get('ns'))
      : blobRoute(bundles, version.replace(/^sha256:/, ''));
  for (const bundle of bundles) {
    const { lock } = bundle;
    for (const file of lock.files) {
      const release = `/release/${lock.kubernetesVersion}/bin/linux/${lock.architecture}/${file.name}`;
      const places = KUBERNETES_PROGRAMS.includes(file.name)
        ? [`/files/${file.name}`, release]
        : [`/files/${file.name}`];
      if (places.includes(path)) return blobRoute(bundles, file.sha256);
      if (places.includes(path.replace(/\.sha256$/, ''))) return { kind: 'text', text: file.sha256 };
    }
    const paper = path.slice(1);
    if (PAPERS.includes(paper)) return { kind: 'paper', bundle, name: paper };
  }
  const [, sha256] = /^\/blobs\/sha256\/([0-9a-f]{64})$/.exec(path) ?? [];
  return sha256 === undefined ? null : blobRoute(bundles, sha256);
}

/**
 * containerd says in `ns` for which registry it asks a mirror; others have to name the repository alone. A tag of an
 * image that is there for several architectures stands for an index of them.
 */
function manifestRoute(
  bundles: readonly Bundle[],
  repository: string,
  version: string,
  namespace: string | null,
): Route | null {
  const images = bundles.flatMap((bundle) =>
    bundle.lock.images
      .filter(({ reference }) => isNamed(reference, repository, namespace))
      .map((image) => ({ bundle, image })),
  );
  const exact = images.find(({ image }) => image.digest === version);
  if (exact !== undefined) return imageRoute(exact);
  const tagged = images.filter(({ image: { reference } }) => reference.endsWith(`:${version}`));
  const [first] = tagged;
  const architectures = new Set(tagged.map(({ bundle }) => bundle.lock.architecture));
  if (first !== undefined && architectures.size < 2) return imageRoute(first);
  // One index for each set of images under one tag; asked for by digest, it is among them.
  const tags = new Set(images.map(({ image: { reference } }) => reference));
  for (const reference of first === undefined ? tags : [first.image.reference]) {
    const own = images.filter(({ image }) => image.reference === reference);
    // Of several bundles with the same image the first one counts.
    const byArchitecture = new Map(
      own.toReversed().map(({ bundle, image }) => [bundle.lock.architecture, image]),
    );
    const bytes = platformIndex(
      [...byArchitecture].sort().map(([architecture, image]) => ({ image, architecture })),
    );
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    if (first !== undefined || version === `sha256:${sha256}`) return { kind: 'index', bytes, sha256 };
  }
  return null;
}

function isNamed(reference: string, repository: string, namespace: string | null): boolean {
  const at = reference.lastIndexOf(':');
  const slash = reference.indexOf('/');
  const registry = reference.slice(0, slash);
  const own = reference.slice(slash + 1, at);
  const named = repository === own || repository === `${registry}/${own}`;
  return named && (namespace === null || namespace === registry);
}

function imageRoute({ bundle, image }: { bundle: Bundle; image: BundleImage }): Route {
  const mediaType = image.blobs[0]?.mediaType ?? BINARY;
  return { kind: 'blob', bundle, sha256: image.digest.slice('sha256:'.length), mediaType, manifest: true };
}

function blobRoute(bundles: readonly Bundle[], sha256: string): Route | null {
  for (const bundle of bundles) {
    const { files, images } = bundle.lock;
    const known = [...files, ...images.flatMap((image) => image.blobs)].some(
      (blob) => blob.sha256 === sha256,
    );
    if (known) return { kind: 'blob', bundle, sha256, mediaType: BINARY, manifest: false };
  }
  return null;
}
