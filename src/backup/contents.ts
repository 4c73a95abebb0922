import { protobufFields } from '../cluster/protobuf.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { withBolt } from './bolt.js';

/** What a snapshot holds. */
export interface SnapshotContents {
  /** etcd's revision at the snapshot. */
  revision: number;
  /** Keys that are there at that revision. */
  keys: number;
  /** Bytes of their newest values. */
  valueBytes: number;
  /** Number of Kubernetes objects by resource: `secrets`, `apps.example.com/widgets`. */
  objects: Record<string, number>;
  /** Secrets that are stored encrypted, by provider (`aescbc`, `secretbox`, `kms`); the rest is readable. */
  encryptedSecrets: Record<string, number>;
  /** Names of the members that the cluster had, as far as the snapshot knows. */
  members: string[];
}

/** A revision as etcd's key: eight bytes of the main revision, `_`, eight bytes within it; `t` for a deletion. */
const REVISION_BYTES = 17;
const ENCRYPTED = Buffer.from('k8s:enc:');

/**
 * Walks a snapshot, or the database of a member that does not run.
 * @param source its path, or its bytes
 * @param name for errors
 * @throws VERIFY where it can't be one
 */
export async function snapshotContents(
  source: string | Buffer,
  name: string = typeof source === 'string' ? source : 'the snapshot',
): Promise<SnapshotContents> {
  return withBolt(source, name, async (file) => {
    const newest = new Map<string, { bytes: number; provider: string | null }>();
    let revision = 0;
    for await (const { key, value } of file.entries('key')) {
      if (key.length < REVISION_BYTES)
        throw new KeelsonError('VERIFY', `${name} has a key that is no revision`);
      revision = Number(key.readBigUInt64BE(0));
      const entry = keyValue(value);
      if (entry.key === '') continue;
      if (key.length > REVISION_BYTES) newest.delete(entry.key);
      else newest.set(entry.key, { bytes: entry.value.length, provider: providerOf(entry.value) });
    }
    if (revision === 0) throw new KeelsonError('VERIFY', `${name} holds no revision of etcd`);
    const members: string[] = [];
    for await (const { value } of file.entries('members')) members.push(memberName(value));
    const objects: Record<string, number> = {};
    const encryptedSecrets: Record<string, number> = {};
    let valueBytes = 0;
    for (const [key, { bytes, provider }] of newest) {
      valueBytes += bytes;
      const resource = resourceOf(key);
      if (resource === null) continue;
      objects[resource] = (objects[resource] ?? 0) + 1;
      if (resource === 'secrets' && provider !== null)
        encryptedSecrets[provider] = (encryptedSecrets[provider] ?? 0) + 1;
    }
    return { revision, keys: newest.size, valueBytes, objects, encryptedSecrets, members: members.sort() };
  });
}

/** `k8s:enc:aescbc:v1:key1:` is how the API server begins what it encrypted. */
function providerOf(value: Buffer): string | null {
  if (!value.subarray(0, ENCRYPTED.length).equals(ENCRYPTED)) return null;
  return (
    value
      .subarray(ENCRYPTED.length, ENCRYPTED.length + 32)
      .toString('latin1')
      .split(':')[0] ?? ''
  );
}

/**
 * Resource of a key of the API server: `/registry/RESOURCE/…`, with the group before it where it is one of a custom
 * resource or an extension; null for other keys.
 */
export function resourceOf(key: string): string | null {
  const [, root, first, second, third] = key.split('/');
  if (root !== 'registry' || first === undefined || second === undefined) return null;
  // Services have their specs and their endpoints under one name.
  if (first === 'services') return second === 'specs' ? 'services' : second;
  return first.includes('.') && third !== undefined ? `${first}/${second}` : first;
}

function memberName(json: Buffer): string {
  try {
    return String((JSON.parse(json.toString()) as { name?: string }).name ?? '');
  } catch {
    return '';
  }
}

/** mvccpb.KeyValue: field 1 the key, field 5 the value. */
function keyValue(bytes: Buffer): { key: string; value: Buffer } {
  let key = '';
  let value: Buffer = Buffer.alloc(0);
  for (const part of protobufFields(bytes)) {
    if (!('bytes' in part)) continue;
    if (part.field === 1) key = part.bytes.toString('latin1');
    if (part.field === 5) value = part.bytes;
  }
  return { key, value };
}
