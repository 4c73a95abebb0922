import { createHash, X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { type CertAndKey, createAuthority } from '../../../../src/pki/issue.js';
import type { FoundCertificate, SurveyItem } from '../../../../src/pki/survey/types.js';
import { ofTheOldAlone } from '../../../../src/workflows/rotate/survey.js';

let old: CertAndKey;
let fresh: CertAndKey;

beforeAll(async () => {
  const spec = { commonName: 'kubernetes', algorithm: 'ECDSA-P256', validityMs: 86_400_000 } as const;
  old = await createAuthority(spec, { now: new Date() });
  fresh = await createAuthority(spec, { now: new Date() });
});

const print = ({ certPem }: CertAndKey) =>
  createHash('sha256').update(new X509Certificate(certPem).raw).digest('hex');

const certificate = (fingerprint: string, signedBy: string | null) =>
  ({ fingerprint, signedBy }) as unknown as FoundCertificate;

const item = (part: SurveyItem['part'], certificates: FoundCertificate[], known = true): SurveyItem => ({
  host: 'w1',
  source: 'file',
  place: `/${part}`,
  name: part,
  part,
  known,
  certificates,
  keyMatches: null,
  findings: [],
});

describe('what is of the old authority alone', () => {
  it('is a certificate that it signed, and trust without the new one', () => {
    const pairs = { old, fresh };
    const [before, after] = [certificate(print(old), print(old)), certificate(print(fresh), print(fresh))];
    const leafOf = (pair: CertAndKey) => item('leaf', [certificate('leaf', print(pair))]);
    expect(ofTheOldAlone([leafOf(old), item('trust', [before])], pairs)).toEqual([
      'leaf (/leaf on w1) is of the old one alone',
      'trust (/trust on w1) is of the old one alone',
    ]);
    expect(
      ofTheOldAlone([leafOf(fresh), item('trust', [before, after]), item('trust', [after])], pairs),
    ).toEqual([]);
  });

  it('is nothing that nobody uses, or that another authority signed', () => {
    const pairs = { old, fresh };
    const unused = item('leaf', [certificate('leaf', print(old))], false);
    expect(ofTheOldAlone([unused, item('leaf', [certificate('leaf', null)])], pairs)).toEqual([]);
  });
});
