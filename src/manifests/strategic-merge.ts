import { KeelsonError } from '../errors/keelson-error.js';
import { isObject } from './json.js';
import type { FieldSchema, MergeSchema } from './strategic-merge-schema.js';

const PATCH = '$patch';
const RETAIN_KEYS = '$retainKeys';
const DELETE_FROM = '$deleteFromPrimitiveList/';
const ELEMENT_ORDER = '$setElementOrder/';

type Json = Record<string, unknown>;

/**
 * Kubernetes' strategic merge patch: maps merge, null deletes, lists merge by the schema's keys and are
 * replaced without one. The directives `$patch: replace|delete`, `$retainKeys` and
 * `$deleteFromPrimitiveList/` are obeyed; `$setElementOrder/` is accepted and has no effect.
 * @throws KeelsonError CONFIG saying which list or directive is wrong
 */
export function strategicMerge(original: Json, patch: Json, schema: MergeSchema): Json {
  const directive = patch[PATCH];
  if (directive === 'replace') return without(patch, PATCH);
  if (directive === 'delete') return {};
  if (directive !== undefined) throw unusable(`unknown directive $patch: ${String(directive)}`);
  const result = retainKeys({ ...original }, patch);
  for (const [key, value] of Object.entries(patch)) {
    if (key === RETAIN_KEYS || key.startsWith(ELEMENT_ORDER)) continue;
    if (key.startsWith(DELETE_FROM)) {
      deleteScalars(result, key.slice(DELETE_FROM.length), value);
      continue;
    }
    const merged = value === null ? undefined : mergeField(result[key], value, key, schema[key] ?? {});
    if (merged === undefined) delete result[key];
    else result[key] = merged;
  }
  return result;
}

function mergeField(original: unknown, value: unknown, key: string, schema: FieldSchema): unknown {
  if (isObject(original) && isObject(value)) return strategicMerge(original, value, schema.fields ?? {});
  if (Array.isArray(original) && Array.isArray(value)) {
    if (schema.mergeKey !== undefined)
      return mergeList(original, value, key, schema.mergeKey, schema.fields ?? {});
    return schema.union
      ? inOrder([...new Set([...original, ...value])], original, value, (item) => item)
      : value;
  }
  return added(value);
}

/** A value that the original has not: without nulls in maps, and without elements that are directives. */
function added(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(added).filter((item) => item !== undefined);
  if (!isObject(value)) return value;
  if (PATCH in value) return undefined;
  const result: Json = {};
  for (const [key, field] of Object.entries(value)) {
    const kept = field === null ? undefined : added(field);
    if (kept !== undefined) result[key] = kept;
  }
  return result;
}

function mergeList(
  original: readonly unknown[],
  patch: readonly unknown[],
  field: string,
  mergeKey: string,
  schema: MergeSchema,
): unknown[] {
  const keyOf = (item: unknown): unknown => (isObject(item) ? item[mergeKey] : undefined);
  for (const item of patch) {
    if (!isObject(item)) throw unusable(`elements of ${field} must be objects`);
    if (keyOf(item) === undefined && item[PATCH] !== 'replace') {
      throw unusable(`an element of ${field} has no ${mergeKey}, by which its elements are matched`);
    }
  }
  const elements = patch.filter(isObject);
  const plain = elements.filter((item) => !(PATCH in item));
  for (const { [PATCH]: directive } of elements) {
    if (directive !== undefined && directive !== 'delete' && directive !== 'replace') {
      throw unusable(`unknown directive $patch: ${String(directive)} in ${field}`);
    }
  }
  if (elements.some((item) => item[PATCH] === 'replace')) return plain;
  const deleted = new Set(elements.filter((item) => item[PATCH] === 'delete').map(keyOf));
  const kept = original.filter((item) => !deleted.has(keyOf(item)));
  const merged = [...kept];
  for (const item of plain) {
    const at = merged.findIndex((other) => keyOf(other) === keyOf(item));
    const existing = merged[at];
    if (isObject(existing)) merged[at] = strategicMerge(existing, item, schema);
    else merged.push(item);
  }
  return inOrder(merged, kept, plain, keyOf);
}

/**
 * The order that Kubernetes gives a merged list: the patch's elements in the patch's order; the others
 * before the first of those that follows them in the original, else after all.
 */
function inOrder(
  merged: readonly unknown[],
  original: readonly unknown[],
  patch: readonly unknown[],
  keyOf: (item: unknown) => unknown,
): unknown[] {
  const position = new Map(original.map((item, index) => [keyOf(item), index]));
  const patchOrder = new Map(patch.map((item, index) => [keyOf(item), index]));
  const rank = (item: unknown): number => patchOrder.get(keyOf(item)) ?? 0;
  const patched = merged.filter((item) => patchOrder.has(keyOf(item))).sort((a, b) => rank(a) - rank(b));
  const others = merged.filter((item) => !patchOrder.has(keyOf(item)));
  const result: unknown[] = [];
  while (patched.length > 0 || others.length > 0) {
    const left = position.get(keyOf(others[0]));
    const right = position.get(keyOf(patched[0]));
    const takeOther =
      others.length > 0 &&
      (patched.length === 0 || (left !== undefined && right !== undefined && left < right));
    result.push(takeOther ? others.shift() : patched.shift());
  }
  return result;
}

function retainKeys(original: Json, patch: Json): Json {
  const keys = patch[RETAIN_KEYS];
  if (keys === undefined) return original;
  if (!Array.isArray(keys)) throw unusable(`${RETAIN_KEYS} must be a list of field names`);
  const extra = Object.entries(patch).find(
    ([key, value]) => !key.startsWith('$') && value !== null && !keys.includes(key),
  );
  if (extra !== undefined) throw unusable(`${RETAIN_KEYS} does not name ${extra[0]}, which the patch sets`);
  return Object.fromEntries(Object.entries(original).filter(([key]) => keys.includes(key)));
}

function deleteScalars(target: Json, key: string, values: unknown): void {
  const list = target[key];
  if (!Array.isArray(values)) throw unusable(`${DELETE_FROM}${key} must be a list`);
  if (Array.isArray(list)) target[key] = list.filter((item) => !values.includes(item));
}

function without(object: Json, key: string): Json {
  const { [key]: _, ...rest } = object;
  return rest;
}

function unusable(message: string): KeelsonError {
  return new KeelsonError('CONFIG', message);
}
