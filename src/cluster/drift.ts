import type { KubeObject } from './client.js';

/**
 * Paths at which `live` lacks what `desired` says. Fields that the API server or others added are no drift;
 * lists must have the same length and agree element by element.
 */
export function driftOf(desired: unknown, live: unknown, path = ''): string[] {
  if (Array.isArray(desired)) {
    if (!Array.isArray(live) || live.length !== desired.length) {
      return desired.length === 0 && live === undefined ? [] : [path];
    }
    return desired.flatMap((item, index) => driftOf(item, live[index], `${path}[${index}]`));
  }
  if (typeof desired === 'object' && desired !== null) {
    const keys = Object.keys(desired);
    if (typeof live !== 'object' || live === null || Array.isArray(live)) {
      return keys.length === 0 && (live === undefined || live === null) ? [] : [path];
    }
    return keys.flatMap((key) => {
      const wanted = (desired as Record<string, unknown>)[key];
      return wanted === undefined
        ? []
        : driftOf(wanted, (live as Record<string, unknown>)[key], path === '' ? key : `${path}.${key}`);
    });
  }
  if (desired === live) return [];
  // Zero values are dropped by the API server.
  if (
    (desired === '' || desired === false || desired === 0 || desired === null) &&
    (live === undefined || live === null)
  )
    return [];
  return [path];
}

/** `desired` without what the server never returns: stringData, status, null creation times. */
export function comparable(object: KubeObject): Record<string, unknown> {
  const {
    status: _status,
    stringData,
    ...rest
  } = object as KubeObject & { stringData?: Record<string, string> };
  const metadata = Object.fromEntries(
    Object.entries(rest.metadata).filter(([key, value]) => value !== null && key !== 'creationTimestamp'),
  );
  const withMetadata: Record<string, unknown> = { ...rest, metadata };
  if (stringData !== undefined) {
    const encoded = Object.entries(stringData).map(([key, value]) => [
      key,
      Buffer.from(value).toString('base64'),
    ]);
    withMetadata.data = {
      ...(rest.data as Record<string, string> | undefined),
      ...Object.fromEntries(encoded),
    };
  }
  return withMetadata;
}
