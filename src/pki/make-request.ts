import { createPublicKey, type KeyObject } from 'node:crypto';
import { importSigningKey, sansExtension, subject } from './issue.js';
import { toPem } from './pem.js';
import type { Sans } from './san.js';
import type { Usage } from './table.js';

export interface RequestSpec {
  commonName: string;
  organizations: readonly string[];
  sans: Sans;
  /** What it is to be good for; signers that copy nothing decide it themselves. */
  usages?: readonly Usage[];
  /** It is to be an authority that signs certificates. */
  authority?: boolean;
}

/** A PKCS #10 certificate request, PEM, signed by the key that it is for. */
export async function makeRequest(spec: RequestSpec, key: KeyObject): Promise<string> {
  const library = await import('./x509-library.js');
  const { signingKey, signingHash } = await importSigningKey(key);
  const publicKey = await crypto.subtle.importKey(
    'spki',
    createPublicKey(key).export({ type: 'spki', format: 'der' }),
    signingKey.algorithm,
    true,
    ['verify'],
  );
  const flags = library.KeyUsageFlags;
  const named = spec.sans.dns.length + spec.sans.ips.length > 0;
  const request = await library.Pkcs10CertificateRequestGenerator.create({
    name: subject(library, spec.commonName, spec.organizations),
    keys: { privateKey: signingKey, publicKey },
    signingAlgorithm: { name: signingKey.algorithm.name, hash: signingHash },
    extensions: [
      ...(spec.authority === true
        ? [
            new library.BasicConstraintsExtension(true, undefined, true),
            new library.KeyUsagesExtension(
              flags.digitalSignature | flags.keyEncipherment | flags.keyCertSign,
              true,
            ),
          ]
        : []),
      ...(named ? [sansExtension(library, spec.sans)] : []),
      ...(spec.usages === undefined
        ? []
        : [
            new library.ExtendedKeyUsageExtension(
              spec.usages.map((usage) => library.ExtendedKeyUsage[usage]),
            ),
          ]),
    ],
  });
  return toPem(new Uint8Array(request.rawData), 'CERTIFICATE REQUEST');
}
