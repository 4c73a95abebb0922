import { createHash } from 'node:crypto';
import { canonicalDuration } from '../config/go-duration.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { isObject } from './json.js';

export interface ComponentShape {
  /** Fields that are written even where the user gives none, with their zero values. */
  zero: Readonly<Record<string, unknown>>;
  /** Dotted paths of durations. */
  durations: readonly string[];
  /** Dotted paths of fields that are left out when '', 0, false or empty. */
  omittedWhenZero: readonly string[];
}

/**
 * A component's configuration in the form in which Kubernetes writes it: zero values filled in, durations
 * canonical, empty optional fields left out.
 * @throws KeelsonError CONFIG naming the field of an invalid duration
 */
export function canonicalComponentConfig(
  shape: ComponentShape,
  given: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const result = fill(shape.zero, given);
  for (const path of shape.durations) {
    edit(result, path, (value) => (typeof value === 'string' ? durationAt(path, value) : value));
  }
  for (const path of shape.omittedWhenZero) {
    edit(result, path, (value) => (isZero(value) ? undefined : value));
  }
  return result;
}

/**
 * kubeadm's signature of a ConfigMap with a configuration that it made itself; it may replace such a one
 * on upgrade. sha256 over the values in the order of their keys.
 */
export function configMapSignature(data: Readonly<Record<string, string>>): Record<string, string> {
  const hash = createHash('sha256');
  for (const key of Object.keys(data).sort()) hash.update(data[key] ?? '');
  return { 'kubeadm.kubernetes.io/component-config.hash': `sha256:${hash.digest('hex')}` };
}

/** True if the document says anything beside its kind. */
export function isUserSupplied(config: Readonly<Record<string, unknown>>): boolean {
  return Object.keys(config).some((key) => key !== 'apiVersion' && key !== 'kind');
}

function durationAt(path: string, value: string): string {
  try {
    return canonicalDuration(value);
  } catch (error) {
    if (!(error instanceof KeelsonError)) throw error;
    throw new KeelsonError('CONFIG', `${path}: ${error.message}`, { hint: error.hint, cause: error });
  }
}

function fill(zero: Readonly<Record<string, unknown>>, given: Readonly<Record<string, unknown>>) {
  const result: Record<string, unknown> = structuredClone({ ...zero, ...given });
  for (const [key, value] of Object.entries(zero)) {
    const own = given[key];
    if (own === undefined || own === null) result[key] = structuredClone(value);
    else if (isObject(value) && isObject(own)) result[key] = fill(value, own);
  }
  return result;
}

function edit(root: Record<string, unknown>, path: string, change: (value: unknown) => unknown): void {
  const keys = path.split('.');
  const last = keys.pop() ?? '';
  let at: unknown = root;
  for (const key of keys) at = isObject(at) ? at[key] : undefined;
  if (!isObject(at) || !(last in at)) return;
  const value = change(at[last]);
  if (value === undefined) delete at[last];
  else at[last] = value;
}

function isZero(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  if (isObject(value)) return Object.keys(value).length === 0;
  return value === '' || value === 0 || value === false || value === null;
}
