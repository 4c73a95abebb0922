import { createHash } from 'node:crypto';
import { KeelsonError } from '../errors/keelson-error.js';
import { type CertificateInfo, inspectBundle } from '../pki/inspect.js';

/** Pins of all certificates of a CA file: `sha256:` and the hex digest of the SubjectPublicKeyInfo. Throws PKI. */
export function publicKeyPins(caPem: string): string[] {
  return inspectBundle(caPem, 'the CA certificate').map(pinOf);
}

/** A pin in its one form, lower case. Throws USAGE. */
export function parsePin(text: string): string {
  const pin = text.toLowerCase();
  if (!/^sha256:[0-9a-f]{64}$/.test(pin)) {
    throw new KeelsonError('USAGE', `'${text}' is no pin of a CA's public key`, {
      hint: "write it as sha256: and 64 hexadecimal digits, as 'keelson token create --print-join-command' shows",
    });
  }
  return pin;
}

/** Throws PKI unless one certificate of `caPem` has one of the pinned keys, and USAGE for a malformed pin. */
export function requirePinned(caPem: string, pins: readonly string[]): void {
  const allowed = new Set(pins.map(parsePin));
  const found = publicKeyPins(caPem);
  if (found.some((pin) => allowed.has(pin))) return;
  throw new KeelsonError('PKI', "the cluster's CA is not the pinned one", {
    hint: 'make sure that the address is that of the right cluster, and give the pin of its present CA',
    details: { found, pinned: [...allowed] },
  });
}

function pinOf(info: CertificateInfo): string {
  const spki = info.x509.publicKey.export({ type: 'spki', format: 'der' });
  return `sha256:${createHash('sha256').update(spki).digest('hex')}`;
}
