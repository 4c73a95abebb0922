import type { Bundle } from '../bundle.js';
import { LOCK_FILE } from '../lock.js';
import { SBOM_FILE } from '../sbom.js';
import { SIGNATURE_FILE } from '../signature.js';

/** What a path of the server stands for. */
export type Route =
  | { kind: 'api' }
  | { kind: 'blob'; bundle: Bundle; sha256: string; mediaType: string; manifest: boolean }
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
export function routeOf(bundles: readonly Bundle[], path: string, query: URLSearchParams): Route | null {
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

/** containerd says in `ns` for which registry it asks a mirror; others have to name the repository alone. */
function manifestRoute(
  bundles: readonly Bundle[],
  repository: string,
  version: string,
  namespace: string | null,
): Route | null {
  for (const bundle of bundles) {
    for (const { reference, digest, blobs } of bundle.lock.images) {
      const at = reference.lastIndexOf(':');
      const slash = reference.indexOf('/');
      const registry = reference.slice(0, slash);
      const own = reference.slice(slash + 1, at);
      const named = repository === own || repository === `${registry}/${own}`;
      if (!named || (namespace !== null && namespace !== registry)) continue;
      if (version !== reference.slice(at + 1) && version !== digest) continue;
      const mediaType = blobs[0]?.mediaType ?? BINARY;
      return { kind: 'blob', bundle, sha256: digest.slice('sha256:'.length), mediaType, manifest: true };
    }
  }
  return null;
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
