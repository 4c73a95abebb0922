import { scryptSync } from 'node:crypto';
import type { KubeObject } from '../cluster/client.js';
import { refOf } from '../cluster/client.js';

// Secrets of the user's own manifests: a plan names them and never holds what is in them.

const MASK = '<masked>';
const OTHER = '<masked, another value>';
/** kubectl keeps the whole object in it. */
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
const FIELDS = ['data', 'stringData'] as const;
const DIGEST_BYTES = 16;

export const isSecret = (object: Pick<KubeObject, 'apiVersion' | 'kind'>): boolean =>
  object.apiVersion === 'v1' && object.kind === 'Secret';

/**
 * What stands in a plan for a Secret: another one has another name, so that a saved plan is refused once the manifest
 * has changed. Made by scrypt, since a plain digest of a weak password can be guessed.
 */
export function secretArtefact(object: KubeObject): string {
  const { apiVersion, kind, namespace = '', name } = refOf(object);
  const place = `${apiVersion} ${kind} ${namespace}/${name}`;
  const digest = scryptSync(JSON.stringify(object), place, DIGEST_BYTES).toString('hex');
  return `manifest:${kind} ${namespace}/${name}:${digest}`;
}

/** Two states of a Secret with their values masked, so that a diff shows which of them change, and nothing else. */
export function maskedPair(before: KubeObject, after: KubeObject): [KubeObject, KubeObject] {
  const masked = (object: KubeObject, other: KubeObject | null): KubeObject => {
    const { annotations, ...metadata } = object.metadata;
    const kept = Object.entries((annotations ?? {}) as Record<string, string>).filter(
      ([key]) => key !== LAST_APPLIED,
    );
    const fields = FIELDS.flatMap((field) => {
      const values = object[field] as Record<string, string> | undefined;
      if (values === undefined) return [];
      const others = (other?.[field] ?? {}) as Record<string, string>;
      const shown = Object.entries(values).map(([key, value]) => [
        key,
        other !== null && key in others && others[key] !== value ? OTHER : MASK,
      ]);
      return [[field, Object.fromEntries(shown)]];
    });
    return {
      ...object,
      metadata: { ...metadata, ...(kept.length === 0 ? {} : { annotations: Object.fromEntries(kept) }) },
      ...Object.fromEntries(fields),
    } as KubeObject;
  };
  return [masked(before, null), masked(after, before)];
}
