/** Docker's registry, which short names mean. */
const DEFAULT_REGISTRY = 'docker.io';

/** `calico/node:v3.32.1` as `docker.io/calico/node:v3.32.1`; null for what has no repository or no tag. */
export function fullReference(reference: string): string | null {
  const match = /^(.+):([\w][\w.-]{0,127})$/.exec(reference.split('@')[0] ?? '');
  const [, path = '', tag = ''] = match ?? [];
  if (path === '' || path.endsWith('/') || tag === '') return null;
  const [first = '', ...rest] = path.split('/');
  const isRegistry = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  if (isRegistry) return `${path}:${tag}`;
  return `${DEFAULT_REGISTRY}/${rest.length === 0 ? `library/${first}` : path}:${tag}`;
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
