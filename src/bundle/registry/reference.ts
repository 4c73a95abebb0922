import { KeelsonError } from '../../errors/keelson-error.js';

export interface ImageReference {
  /** Host, with a port where there is one. */
  registry: string;
  repository: string;
  /** A tag, or `sha256:…`. */
  version: string;
}

const SHAPE =
  /^([a-z0-9][a-z0-9.-]*(?::\d+)?)\/([a-z0-9]+(?:[._/-]+[a-z0-9]+)*)(?::([\w][\w.-]{0,127})|@(sha256:[0-9a-f]{64}))$/;

/**
 * Parts of a fully qualified reference: `registry.k8s.io/pause:3.10.2`.
 * @throws KeelsonError USAGE
 */
export function parseReference(reference: string): ImageReference {
  const [, registry, repository, tag, digest] = SHAPE.exec(reference) ?? [];
  const version = tag ?? digest;
  if (registry === undefined || repository === undefined || version === undefined)
    throw new KeelsonError('USAGE', `${reference}: is no reference to an image`, {
      hint: 'write registry.example/repository:tag',
    });
  return { registry, repository, version };
}

/** A reference as container runtimes complete it: `nginx` is `docker.io/library/nginx:latest`. */
export function qualifiedReference(reference: string): string {
  const [first = '', ...rest] = reference.split('/');
  const hasRegistry = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  const named = hasRegistry
    ? reference
    : `docker.io/${rest.length === 0 ? `library/${reference}` : reference}`;
  return /[:@][^/]*$/.test(named.slice(named.indexOf('/'))) ? named : `${named}:latest`;
}
