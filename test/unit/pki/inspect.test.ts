import { describe, expect, it } from 'vitest';
import { descendsFrom, inspectBundle } from '../../../src/pki/inspect.js';
import { createAuthority, createLeaf, openAuthority } from '../../../src/pki/issue.js';
import * as x509 from '../../../src/pki/x509-library.js';
import { contextAt, DAY, NOW } from './fixtures.js';

const PATHS = { cert: 'ca.crt', key: 'ca.key' };
const CA = { commonName: 'kubernetes', algorithm: 'ECDSA-P256', validityMs: 10 * DAY } as const;

async function makeCa() {
  return createAuthority(CA, contextAt(NOW));
}

describe('inspectBundle', () => {
  it('reads every certificate of a bundle, whatever stands between them', async () => {
    const [one, two] = [await makeCa(), await makeCa()];
    const text = `# first\r\n${one.certPem.replaceAll('\n', '\r\n')}\nsubject=CN = x\n${one.keyPem}${two.certPem.trimEnd()}`;
    expect(inspectBundle(text, 'ca.crt').map((info) => info.pem)).toEqual([one.certPem, two.certPem]);
  });

  it.each([
    '',
    'no PEM',
    '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
    '-----BEGIN CERTIFICATE-----\nAAAA',
  ])('names the file whose content is %j', (text) => {
    expect(() => inspectBundle(text, '/pki/x.crt')).toThrow(
      expect.objectContaining({ code: 'PKI', message: '/pki/x.crt holds no readable certificate' }),
    );
  });

  it('is not misled by a name that looks like two', async () => {
    const { keyPem: _, ...spoofed } = await withRawDnsName('a.example, DNS:evil.example');
    expect(inspectBundle(spoofed.certPem, 'x')[0].sans).toEqual({
      dns: ['a.example, DNS:evil.example', 'b.example'],
      ips: ['10.0.0.1'],
    });
  });
});

describe('descendsFrom', () => {
  const leafSpec = {
    ...CA,
    organizations: [],
    usages: ['clientAuth'],
    sans: { dns: [], ips: [] },
    notBefore: 'backdated',
  } as const;

  it('tells authorities of one name apart by their signature', async () => {
    const [ca, impostor] = [await makeCa(), await makeCa()];
    const leaf = await createLeaf(leafSpec, await openAuthority(ca, PATHS), contextAt(NOW));
    const info = inspectBundle(leaf.certPem, 'leaf')[0];
    expect(descendsFrom(info, [], inspectBundle(ca.certPem, 'ca'), NOW)).toBe(true);
    expect(descendsFrom(info, [], inspectBundle(impostor.certPem, 'ca'), NOW)).toBe(false);
    expect(descendsFrom(info, [], inspectBundle(impostor.certPem + ca.certPem, 'ca'), NOW)).toBe(true);
  });

  it('does not trust an authority that has expired', async () => {
    const ca = await makeCa();
    const leaf = await createLeaf(
      { ...leafSpec, validityMs: 20 * DAY },
      await openAuthority(ca, PATHS),
      contextAt(NOW),
    );
    const later = new Date(NOW.getTime() + 11 * DAY);
    expect(
      descendsFrom(inspectBundle(leaf.certPem, 'leaf')[0], [], inspectBundle(ca.certPem, 'ca'), later),
    ).toBe(false);
  });

  it('follows an intermediate authority, but not a leaf posing as one', async () => {
    const root = await makeCa();
    const rootInfos = inspectBundle(root.certPem, 'root');
    for (const isAuthority of [true, false]) {
      const { intermediate, leaf } = await intermediateChain(root, isAuthority);
      const found = descendsFrom(
        inspectBundle(leaf, 'leaf')[0],
        inspectBundle(intermediate, 'i'),
        rootInfos,
        NOW,
      );
      expect(found).toBe(isAuthority);
    }
  });
});

async function withRawDnsName(name: string) {
  const pair = await makeCa();
  const authority = await openAuthority(pair, PATHS);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: '01',
    subject: 'CN=x',
    issuer: authority.certificate.subjectName,
    notBefore: NOW,
    notAfter: new Date(NOW.getTime() + DAY),
    publicKey: authority.certificate.publicKey,
    signingKey: authority.signingKey,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    extensions: [
      new x509.SubjectAlternativeNameExtension([
        { type: 'dns', value: name },
        { type: 'dns', value: 'b.example' },
        { type: 'ip', value: '10.0.0.1' },
      ]),
    ],
  });
  return { certPem: certificate.toString('pem'), keyPem: pair.keyPem };
}

async function intermediateChain(root: { certPem: string; keyPem: string }, isAuthority: boolean) {
  const own = await createAuthority({ ...CA, commonName: 'intermediate' }, contextAt(NOW));
  const opened = await openAuthority(own, PATHS);
  const parent = await openAuthority(root, PATHS);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: '02',
    subject: opened.certificate.subjectName,
    issuer: parent.certificate.subjectName,
    notBefore: NOW,
    notAfter: new Date(NOW.getTime() + DAY),
    publicKey: opened.certificate.publicKey,
    signingKey: parent.signingKey,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    extensions: [new x509.BasicConstraintsExtension(isAuthority, undefined, true)],
  });
  const spec = {
    ...CA,
    organizations: [],
    usages: ['clientAuth'],
    sans: { dns: [], ips: [] },
    notBefore: 'backdated',
  } as const;
  const leaf = await createLeaf(spec, opened, contextAt(NOW));
  return { intermediate: certificate.toString('pem'), leaf: leaf.certPem };
}
