import { qualifiedReference } from '../registry/reference.js';

/** `calico/node:v3.32.1` as `docker.io/calico/node:v3.32.1`; null for what has no tag. */
export function fullReference(reference: string): string | null {
  const [plain = ''] = reference.split('@');
  return /^[^:]+(?::\d+\/.+)?:[\w][\w.-]{0,127}$/.test(plain) ? qualifiedReference(plain) : null;
}

/** A name that no other image of a bundle has: of the repository, with its tag only where that is taken. */
export function shortName(reference: string, taken: readonly string[]): string {
  const at = reference.lastIndexOf(':');
  const repository = reference.slice(reference.indexOf('/') + 1, at).replace(/^library\//, '');
  const name = repository.replaceAll('/', '-');
  if (!taken.includes(name)) return name;
  const tagged = `${name}-${reference.slice(at + 1)}`;
  return taken.includes(tagged) ? `${reference.split('/')[0]?.replaceAll(':', '-')}-${tagged}` : tagged;
}
