import { generateKeyPairSync } from 'node:crypto';

/** A key for one run: OpenSSH reads the private part as it is, the public part is a line of its own form. */
export interface OneTimeKey {
  /** SEC 1 in PEM. */
  privateKey: string;
  /** `ecdsa-sha2-nistp256 AAAA…`. */
  publicKey: string;
}

const TYPE = 'ecdsa-sha2-nistp256';
const CURVE = 'nistp256';

/** P-256, which every sshd takes, also one that keeps to FIPS 140. The public form is that of RFC 5656, 3.1. */
export function oneTimeKey(): OneTimeKey {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x = '', y = '' } = pair.publicKey.export({ format: 'jwk' });
  const point = Buffer.concat([Buffer.from([4]), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
  const blob = Buffer.concat([Buffer.from(TYPE), Buffer.from(CURVE), point].flatMap(withLength));
  return {
    privateKey: pair.privateKey.export({ format: 'pem', type: 'sec1' }).toString(),
    publicKey: `${TYPE} ${blob.toString('base64')}`,
  };
}

function withLength(bytes: Buffer): Buffer[] {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return [length, bytes];
}
