import { randomInt } from 'node:crypto';
import type { Secret } from 'kubernetes-types/core/v1.js';
import { durationMs } from '../config/go-duration.js';
import type { BootstrapTokenSpec } from '../config/types.js';
import { KeelsonError } from '../errors/keelson-error.js';

export interface BootstrapToken {
  /** Public: names the Secret and the signature. */
  id: string;
  secret: string;
}

/** Where bootstrap token Secrets live. */
export const TOKEN_NAMESPACE = 'kube-system';
export const TOKEN_SECRET_TYPE = 'bootstrap.kubernetes.io/token';

/** kubeadm's defaults: 24 hours, for both uses, as a node. */
export const DEFAULT_TOKEN_TTL = '24h0m0s';
export const DEFAULT_TOKEN_USAGES: readonly string[] = ['signing', 'authentication'];
export const DEFAULT_TOKEN_GROUPS: readonly string[] = ['system:bootstrappers:kubeadm:default-node-token'];

const ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyz';
const SECRET_PREFIX = 'bootstrap-token-';
const USAGE_PREFIX = 'usage-bootstrap-';
const GROUP = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;

/**
 * A fresh token, `id.secret`.
 * @param draw a uniform random integer in [0, max); default node:crypto
 */
export function generateToken(draw: (max: number) => number = (max) => randomInt(max)): string {
  const word = (length: number) =>
    Array.from({ length }, () => ALPHABET.charAt(draw(ALPHABET.length))).join('');
  return `${word(6)}.${word(16)}`;
}

/** Both parts of a token of the form `[a-z0-9]{6}.[a-z0-9]{16}`. Throws USAGE without quoting it. */
export function parseToken(text: string): BootstrapToken {
  const match = /^([a-z0-9]{6})\.([a-z0-9]{16})$/.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) {
    throw new KeelsonError('USAGE', 'the bootstrap token is malformed', {
      hint: 'a token has 6 characters, a full stop and 16 characters, all of a-z and 0-9',
    });
  }
  return { id: match[1], secret: match[2] };
}

/** Name of the Secret that holds the token with this id. */
export function tokenSecretName(id: string): string {
  return `${SECRET_PREFIX}${id}`;
}

/**
 * The Secret that makes a token known to the cluster, as kubeadm writes it. `expires` goes before `ttl`; a
 * ttl of 0 never expires. Throws USAGE for a malformed token, usage or group, CONFIG for a malformed ttl.
 */
export function tokenSecret(spec: BootstrapTokenSpec, now: Date): Secret {
  const { id, secret } = parseToken(spec.token);
  for (const usage of spec.usages) {
    if (!DEFAULT_TOKEN_USAGES.includes(usage))
      throw malformed('usage', usage, DEFAULT_TOKEN_USAGES.join(' or '));
  }
  for (const group of spec.groups) {
    if (!GROUP.test(group)) throw malformed('group', group, 'a name that starts with system:bootstrappers:');
  }
  const expiration = expirationOf(spec, now);
  const data: Record<string, string> = { 'token-id': id, 'token-secret': secret };
  if (spec.description) data.description = spec.description;
  if (expiration) data.expiration = expiration;
  for (const usage of spec.usages) data[`${USAGE_PREFIX}${usage}`] = 'true';
  if (spec.groups.length > 0) data['auth-extra-groups'] = spec.groups.join(',');
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: tokenSecretName(id), namespace: TOKEN_NAMESPACE },
    type: TOKEN_SECRET_TYPE,
    data: Object.fromEntries(
      Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
    ),
  };
}

/** The token that a Secret holds; null for a Secret that is no well-formed bootstrap token. */
export function tokenFromSecret(object: Secret): BootstrapTokenSpec | null {
  const field = (key: string) => {
    const value = object.data?.[key];
    return value === undefined ? '' : Buffer.from(value, 'base64').toString();
  };
  const token = `${field('token-id')}.${field('token-secret')}`;
  if (!/^[a-z0-9]{6}\.[a-z0-9]{16}$/.test(token)) return null;
  if (object.metadata?.name !== tokenSecretName(field('token-id'))) return null;
  const groups = field('auth-extra-groups');
  return {
    token,
    ...(field('description') ? { description: field('description') } : {}),
    ...(field('expiration') ? { expires: field('expiration') } : {}),
    usages: Object.keys(object.data ?? {})
      .filter((key) => key.startsWith(USAGE_PREFIX) && field(key) === 'true')
      .map((key) => key.slice(USAGE_PREFIX.length))
      .sort(),
    groups: groups === '' ? [] : groups.split(','),
  };
}

/** RFC 3339 in UTC with whole seconds; null for never. */
function expirationOf(spec: BootstrapTokenSpec, now: Date): string | null {
  if (spec.expires !== undefined) {
    const time = Date.parse(spec.expires);
    if (Number.isNaN(time)) throw malformed('expiry', spec.expires, 'a time such as 2030-01-31T12:00:00Z');
    return wholeSeconds(time);
  }
  const ttl = spec.ttl === undefined ? 0 : durationMs(spec.ttl);
  return ttl > 0 ? wholeSeconds(now.getTime() + ttl) : null;
}

function wholeSeconds(time: number): string {
  return new Date(time).toISOString().replace(/\.\d+Z$/, 'Z');
}

function malformed(what: string, value: string, expected: string): KeelsonError {
  return new KeelsonError('USAGE', `'${value}' is no ${what} of a bootstrap token`, {
    hint: `give ${expected}`,
  });
}
