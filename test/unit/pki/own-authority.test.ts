import { beforeAll, expect, it } from 'vitest';
import { type CertAndKey, createAuthority, createLeaf, openAuthority } from '../../../src/pki/issue.js';
import { refuseUnfitAuthority } from '../../../src/pki/own-authority.js';

const PATHS = { cert: 'ca.crt', key: 'ca.key' };
const now = new Date();
const context = { now };
const spec = { commonName: 'ours', algorithm: 'ECDSA-P256', validityMs: 3_600_000 } as const;
let ours: CertAndKey;
let other: CertAndKey;

beforeAll(async () => {
  [ours, other] = await Promise.all([createAuthority(spec, context), createAuthority(spec, context)]);
});

const refused = (pair: CertAndKey, at = now) => expect(() => refuseUnfitAuthority(pair, PATHS, at));

it('takes an authority with its key', () => {
  refused(ours).not.toThrow();
});

it('refuses a chain, what has expired, and a key of another', () => {
  refused({ ...ours, certPem: ours.certPem + other.certPem }).toThrow('has 2 certificates');
  refused(ours, new Date(now.getTime() + 2 * 3_600_000)).toThrow('is valid from');
  refused({ ...ours, keyPem: other.keyPem }).toThrow('ca.key is not the key of ca.crt');
});

it('refuses what is no authority', async () => {
  const authority = await openAuthority(ours, PATHS);
  const leaf = await createLeaf(
    {
      ...spec,
      organizations: [],
      usages: ['clientAuth'],
      sans: { dns: [], ips: [] },
      notBefore: 'backdated',
    },
    authority,
    context,
  );
  refused(leaf).toThrow('is no certificate authority');
});
