import { createHmac, timingSafeEqual } from 'node:crypto';
import type { BootstrapToken } from './token.js';

/**
 * Detached JWS (RFC 7515, appendix F) of `content`: HMAC-SHA256 with the token's secret, its id as `kid`,
 * byte for byte what the controller manager's bootstrap signer computes.
 */
export function detachedSignature(content: string, token: BootstrapToken): string {
  const header = base64url(JSON.stringify({ alg: 'HS256', kid: token.id }));
  const signature = createHmac('sha256', token.secret)
    .update(`${header}.${base64url(content)}`)
    .digest('base64url');
  return `${header}..${signature}`;
}

/** Whether `signature` is that of `content` by `token`; takes the same time wherever they differ. */
export function verifyDetached(signature: string, content: string, token: BootstrapToken): boolean {
  const given = Buffer.from(signature);
  const expected = Buffer.from(detachedSignature(content, token));
  return given.length === expected.length && timingSafeEqual(given, expected);
}

function base64url(text: string): string {
  return Buffer.from(text).toString('base64url');
}
