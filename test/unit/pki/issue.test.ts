import { createPrivateKey, X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { inspectBundle } from '../../../src/pki/inspect.js';
import { createAuthority, createLeaf, type LeafSpec, openAuthority } from '../../../src/pki/issue.js';
import { contextAt, DAY, fixedContext, NOW } from './fixtures.js';

const PATHS = { cert: '/pki/ca.crt', key: '/pki/ca.key' };
const CA = { commonName: 'kubernetes', algorithm: 'ECDSA-P256', validityMs: 10 * DAY } as const;
const LEAF: LeafSpec = {
  commonName: 'kube-apiserver',
  organizations: [],
  algorithm: 'ECDSA-P256',
  validityMs: DAY,
  usages: ['serverAuth'],
  sans: { dns: ['a.example'], ips: ['10.0.0.1', 'fd00::1'] },
  notBefore: 'backdated',
};

async function authority() {
  return openAuthority(await createAuthority(CA, contextAt(NOW)), PATHS);
}

describe('createLeaf', () => {
  it('starts five minutes before the clock and ends a validity after it, in whole seconds', async () => {
    const { certPem } = await createLeaf(LEAF, await authority(), contextAt(NOW));
    const info = inspectBundle(certPem, 'leaf')[0];
    expect(info.notBefore.toISOString()).toBe('2026-11-23T11:55:00.000Z');
    expect(info.notAfter.toISOString()).toBe('2026-11-24T12:00:00.000Z');
  });

  it('starts with its authority where that is asked for', async () => {
    const ca = await authority();
    const later = contextAt(new Date(NOW.getTime() + DAY));
    const { certPem } = await createLeaf({ ...LEAF, notBefore: 'authority' }, ca, later);
    expect(inspectBundle(certPem, 'leaf')[0].notBefore.toISOString()).toBe('2026-11-23T11:55:00.000Z');
  });

  it('keeps characters that subject strings would lose', async () => {
    const commonName = 'a+b=c,d"e"\\f#g<h>;i';
    const organizations = ['#4142', 'x, O=system:masters', 'ü'];
    const { certPem } = await createLeaf(
      { ...LEAF, commonName, organizations },
      await authority(),
      contextAt(NOW),
    );
    const info = inspectBundle(certPem, 'leaf')[0];
    expect(info).toMatchObject({ commonName, organizations });
  });

  it('is the same bytes for the same clock, random numbers and RSA keys', async () => {
    const context = await fixedContext('RSA-2048');
    const make = async () => {
      const ca = await createAuthority({ ...CA, algorithm: 'RSA-2048' }, context);
      const leaf = await createLeaf(
        { ...LEAF, algorithm: 'RSA-2048' },
        await openAuthority(ca, PATHS),
        context,
      );
      return [ca, leaf];
    };
    expect(await make()).toEqual(await make());
  });

  it.each([
    [0xff, '7FFFFFFFFFFFFFFF'],
    [0x80, '80808080808080'],
    [0x01, '0101010101010101'],
  ])('draws serial numbers that are positive and minimal (bytes of %d)', async (byte, expected) => {
    const context = { ...contextAt(NOW), random: (size: number) => Buffer.alloc(size, byte) };
    const { certPem } = await createLeaf(LEAF, await authority(), context);
    expect(inspectBundle(certPem, 'leaf')[0].serial).toBe(expected);
  });

  it('draws again where the serial number would be 0', async () => {
    const draws = [0, 0x80, 5];
    const random = (size: number) => {
      const first = draws.shift() ?? 1;
      return Buffer.from([first, ...Array.from({ length: size - 1 }, () => (first === 5 ? 5 : 0))]);
    };
    const { certPem } = await createLeaf(LEAF, await authority(), { now: NOW, random });
    expect(inspectBundle(certPem, 'leaf')[0].serial).toBe('0505050505050505');
  });

  it.each([
    ['RSA-2048', 'RSA PRIVATE KEY', 'RSA-2048'],
    ['RSA-3072', 'RSA PRIVATE KEY', 'RSA-3072'],
    ['ECDSA-P256', 'EC PRIVATE KEY', 'ECDSA-P256'],
    ['ECDSA-P384', 'EC PRIVATE KEY', 'ECDSA-P384'],
  ] as const)('makes %s keys as %s', async (algorithm, label, expected) => {
    const { certPem, keyPem } = await createLeaf({ ...LEAF, algorithm }, await authority(), contextAt(NOW));
    expect(keyPem).toMatch(new RegExp(`^-----BEGIN ${label}-----\n[^]*-----END ${label}-----\n$`));
    const info = inspectBundle(certPem, 'leaf')[0];
    expect(info.algorithm).toBe(expected);
    expect(info.x509.checkPrivateKey(createPrivateKey(keyPem))).toBe(true);
  });

  it('makes certificates that are good for their names and addresses', async () => {
    const ca = await authority();
    const { certPem } = await createLeaf(LEAF, ca, contextAt(NOW));
    const certificate = new X509Certificate(certPem);
    expect(certificate.checkIP('fd00::1')).toBe('fd00::1');
    expect(certificate.checkIP('10.0.0.1')).toBe('10.0.0.1');
    expect(certificate.checkHost('a.example')).toBe('a.example');
    expect(certificate.verify(new X509Certificate(ca.certPem).publicKey)).toBe(true);
  });
});

describe('openAuthority', () => {
  it('names the key that is missing in external CA mode', async () => {
    const { certPem } = await createAuthority(CA, contextAt(NOW));
    await expect(openAuthority({ certPem, keyPem: null }, PATHS)).rejects.toMatchObject({
      code: 'PKI',
      message: expect.stringContaining('/pki/ca.key'),
    });
  });

  it('refuses the key of another authority', async () => {
    const [one, other] = [
      await createAuthority(CA, contextAt(NOW)),
      await createAuthority(CA, contextAt(NOW)),
    ];
    await expect(openAuthority({ certPem: one.certPem, keyPem: other.keyPem }, PATHS)).rejects.toMatchObject({
      code: 'PKI',
      message: '/pki/ca.key is not the key of /pki/ca.crt',
    });
  });

  it('refuses a certificate that is no authority', async () => {
    const leaf = await createLeaf(LEAF, await authority(), contextAt(NOW));
    await expect(openAuthority(leaf, PATHS)).rejects.toMatchObject({ code: 'PKI' });
  });

  it('signs with the first certificate of a bundle', async () => {
    const [first, second] = [
      await createAuthority(CA, contextAt(NOW)),
      await createAuthority(CA, contextAt(NOW)),
    ];
    const bundle = { certPem: first.certPem + second.certPem, keyPem: first.keyPem };
    const opened = await openAuthority(bundle, PATHS);
    expect(opened.certPem).toBe(first.certPem);
  });

  it('takes keys as PKCS#8 and with EC parameters before them', async () => {
    const pair = await createAuthority(CA, contextAt(NOW));
    const pkcs8 = createPrivateKey(pair.keyPem).export({ type: 'pkcs8', format: 'pem' }).toString();
    const parameters = '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n';
    for (const keyPem of [pkcs8, parameters + pair.keyPem, pair.keyPem.replaceAll('\n', '\r\n')]) {
      await expect(openAuthority({ certPem: pair.certPem, keyPem }, PATHS)).resolves.toBeDefined();
    }
  });

  it('never quotes a key that it cannot read', async () => {
    const { certPem } = await createAuthority(CA, contextAt(NOW));
    const keyPem = '-----BEGIN RSA PRIVATE KEY-----\nc2VjcmV0c2VjcmV0\n-----END RSA PRIVATE KEY-----\n';
    const error: unknown = await openAuthority({ certPem, keyPem }, PATHS).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'PKI' });
    expect(error).not.toHaveProperty('cause');
    expect(JSON.stringify(error)).not.toContain('c2VjcmV0');
  });
});
