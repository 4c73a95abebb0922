import { KeelsonError } from '../errors/keelson-error.js';
import { isObject, jsonEqual } from './json.js';

/**
 * JSON merge patch (RFC 7396): maps merge, null deletes, everything else is replaced.
 */
export function jsonMergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const result: Record<string, unknown> = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = jsonMergePatch(result[key], value);
  }
  return result;
}

/**
 * JSON patch (RFC 6902) with all six operations. As in kubeadm, a negative index counts from the end.
 * @throws KeelsonError CONFIG naming the operation, by its position, and the path that does not fit
 */
export function jsonPatch(target: unknown, operations: unknown): unknown {
  if (!Array.isArray(operations))
    throw new KeelsonError('CONFIG', 'a JSON patch must be a list of operations');
  // A holder makes the whole document, path '', a place like any other.
  const holder = { root: structuredClone(target) };
  for (const [index, operation] of operations.entries()) {
    try {
      apply(holder, operation);
    } catch (error) {
      if (!(error instanceof KeelsonError)) throw error;
      throw new KeelsonError('CONFIG', `operation ${index + 1}: ${error.message}`, { cause: error });
    }
  }
  return holder.root;
}

type Holder = { root: unknown };

function apply(holder: Holder, operation: unknown): void {
  if (!isObject(operation)) throw new KeelsonError('CONFIG', 'not an object');
  const { op, value } = operation;
  const path = pointer(operation, 'path');
  switch (op) {
    case 'add':
      add(holder, path, required(operation));
      return;
    case 'remove':
      remove(holder, path);
      return;
    case 'replace':
      read(holder, path);
      replace(holder, path, required(operation));
      return;
    case 'move':
      add(holder, path, remove(holder, pointer(operation, 'from')));
      return;
    case 'copy':
      add(holder, path, structuredClone(read(holder, pointer(operation, 'from'))));
      return;
    case 'test':
      if (jsonEqual(lookUp(holder, path) ?? null, value ?? null)) return;
      throw new KeelsonError('CONFIG', `test of ${path} failed: expected ${JSON.stringify(value)}`);
    default:
      throw new KeelsonError('CONFIG', `unknown op ${JSON.stringify(op)}`);
  }
}

function required(operation: Record<string, unknown>): unknown {
  if (!('value' in operation)) throw new KeelsonError('CONFIG', `${String(operation.op)} needs a value`);
  return operation.value;
}

function pointer(operation: Record<string, unknown>, field: 'path' | 'from'): string {
  const text = operation[field];
  if (typeof text !== 'string' || (text !== '' && !text.startsWith('/'))) {
    throw new KeelsonError('CONFIG', `${field} must be a JSON pointer, such as /spec/containers/0`);
  }
  return text;
}

function tokens(path: string): string[] {
  return ['root', ...path.split('/').slice(1).map(unescapeToken)];
}

function unescapeToken(token: string): string {
  return token.replaceAll('~1', '/').replaceAll('~0', '~');
}

function child(parent: unknown, token: string): unknown {
  if (Array.isArray(parent)) return parent[position(parent, token)];
  return isObject(parent) && Object.hasOwn(parent, token) ? parent[token] : undefined;
}

function position(list: readonly unknown[], token: string): number {
  if (!/^-?\d+$/.test(token)) return Number.NaN;
  const index = Number(token);
  return index < 0 ? index + list.length : index;
}

/** The place that a path names: its parent, which must be there, and the last token. */
function place(holder: Holder, path: string): { parent: Record<string, unknown> | unknown[]; token: string } {
  const keys = tokens(path);
  const token = keys.pop() ?? '';
  const parent = keys.reduce<unknown>(child, holder);
  if (!isObject(parent) && !Array.isArray(parent))
    throw new KeelsonError('CONFIG', `there is no parent of ${path}`);
  return { parent, token };
}

function lookUp(holder: Holder, path: string): unknown {
  return tokens(path).reduce<unknown>(child, holder);
}

function read(holder: Holder, path: string): unknown {
  const value = lookUp(holder, path);
  if (value === undefined) throw new KeelsonError('CONFIG', `there is no ${path}`);
  return value;
}

function add(holder: Holder, path: string, value: unknown): void {
  const { parent, token } = place(holder, path);
  if (!Array.isArray(parent)) {
    parent[token] = value;
    return;
  }
  // Counted from the end of the list as it will be, so that -1 appends.
  const index = token === '-' ? parent.length : position([...parent, undefined], token);
  if (!(index >= 0 && index <= parent.length)) throw new KeelsonError('CONFIG', `there is no place ${path}`);
  parent.splice(index, 0, value);
}

function replace(holder: Holder, path: string, value: unknown): void {
  const { parent, token } = place(holder, path);
  if (Array.isArray(parent)) parent[position(parent, token)] = value;
  else parent[token] = value;
}

function remove(holder: Holder, path: string): unknown {
  const value = read(holder, path);
  const { parent, token } = place(holder, path);
  if (Array.isArray(parent)) parent.splice(position(parent, token), 1);
  else delete parent[token];
  return value;
}
