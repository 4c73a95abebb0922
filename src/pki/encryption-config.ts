import { randomBytes } from 'node:crypto';
import { isMap, isSeq, parseDocument, type YAMLMap, type YAMLSeq } from 'yaml';
import { KeelsonError } from '../errors/keelson-error.js';

/** A key of encryption at rest. `secret` is base64. */
export interface EncryptionKey {
  name: string;
  secret: string;
}

/** How a file of kind EncryptionConfiguration encrypts. */
export interface EncryptionView {
  /** `aescbc`, `aesgcm` or `secretbox`: the provider that writes. */
  provider: string;
  /** The key that writes. */
  key: EncryptionKey;
  /** What is encrypted, as the file names it: `secrets`, `configmaps`, `*.*`. */
  resources: readonly string[];
}

const KEYED = ['aescbc', 'aesgcm', 'secretbox'];
/** All three take keys of 32 bytes. */
const KEY_BYTES = 32;

/** A new key, with a name that tells when it was made. */
export function createEncryptionKey(now: Date): EncryptionKey {
  const name = `key-${now.toISOString().slice(0, 10)}-${randomBytes(3).toString('hex')}`;
  return { name, secret: randomBytes(KEY_BYTES).toString('base64') };
}

/**
 * What a file of kind EncryptionConfiguration encrypts, and with what.
 * @throws PKI naming `path` for what is none; USAGE for one whose keys can't be replaced here: no key of its own
 * writes, or a different one for each group of resources
 */
export function readEncryption(text: string, path: string): EncryptionView {
  const groups = groupsOf(text, path).groups.map(({ resources, provider, keys }) => {
    const [first] = keysIn(keys);
    if (first === undefined) throw unreadable(path);
    return { resources, provider, key: first };
  });
  const [first] = groups;
  if (first === undefined) throw unreadable(path);
  const { provider, key } = first;
  if (groups.some((group) => group.provider !== provider || group.key.secret !== key.secret)) {
    throw new KeelsonError('USAGE', `${path} has several keys that write`, {
      hint: 'keelson replaces one key: give all groups of resources the same provider and key',
    });
  }
  return { provider, key, resources: groups.flatMap(({ resources }) => resources) };
}

/**
 * The same file with these keys first wherever something is encrypted: the first one writes, the others are read
 * with. `gone` is taken out; further keys stay behind them. Comments stay.
 */
export function withEncryptionKeys(
  text: string,
  path: string,
  wanted: readonly EncryptionKey[],
  gone: readonly EncryptionKey[],
): string {
  const { document, groups } = groupsOf(text, path);
  const named = new Set([...wanted, ...gone].map(({ secret }) => secret));
  for (const { keys } of groups) {
    const others = keysIn(keys).filter(({ secret }) => !named.has(secret));
    keys.items = [...wanted, ...others].map((key) => document.createNode({ ...key }));
  }
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

interface Group {
  resources: string[];
  provider: string;
  keys: YAMLSeq;
}

function groupsOf(
  text: string,
  path: string,
): { document: ReturnType<typeof parseDocument>; groups: Group[] } {
  const document = parseDocument(text);
  const list = document.get('resources');
  if (document.errors.length > 0 || document.get('kind') !== 'EncryptionConfiguration' || !isSeq(list))
    throw unreadable(path);
  return { document, groups: list.items.map((item) => groupOf(item, path)) };
}

function groupOf(item: unknown, path: string): Group {
  if (!isMap(item)) throw unreadable(path);
  const { resources } = item.toJSON() as { resources?: string[] };
  const [first] = (item.get('providers') as YAMLSeq | undefined)?.items ?? [];
  if (!Array.isArray(resources) || !isMap(first)) throw unreadable(path);
  const provider = KEYED.find((name) => first.has(name));
  if (provider === undefined) {
    const found = String(Object.keys(first.toJSON() as object)[0]);
    throw new KeelsonError('USAGE', `${path} encrypts ${resources.join(', ')} with ${found}`, {
      hint: `keelson replaces keys of ${KEYED.join(', ')}; one of them has to be the first provider`,
    });
  }
  const keys = (first.get(provider) as YAMLMap | undefined)?.get('keys');
  if (!isSeq(keys)) throw unreadable(path);
  return { resources, provider, keys };
}

function keysIn(keys: YAMLSeq): EncryptionKey[] {
  return (keys.toJSON() as Partial<EncryptionKey>[]).flatMap(({ name, secret }) =>
    name === undefined || secret === undefined ? [] : [{ name, secret }],
  );
}

const unreadable = (path: string) =>
  new KeelsonError('PKI', `${path} is no EncryptionConfiguration that can be read`, {
    hint: 'it has kind EncryptionConfiguration, and resources with providers',
  });
