import { describe, expect, it } from 'vitest';
import {
  decryptWithKey,
  encryptWithKey,
  generateCertificateKey,
  parseCertificateKey,
} from '../../../src/join/certificate-key.js';
import { certsSecret, expiryToken, filesToUpload } from '../../../src/join/uploaded-certs.js';
import { cluster } from '../workflows/fixture.js';

const KEY = parseCertificateKey('00'.repeat(32));

describe('a certificate key', () => {
  it('is 32 random bytes in hexadecimal digits', () => {
    expect(generateCertificateKey()).toMatch(/^[0-9a-f]{64}$/);
    expect(generateCertificateKey()).not.toBe(generateCertificateKey());
  });

  it.each(['', 'abc', '0'.repeat(63), 'g'.repeat(64), '0'.repeat(66)])(
    'is refused where it is malformed, and not quoted (%j)',
    (text) => {
      expect(() => parseCertificateKey(text)).toThrow(
        expect.objectContaining({ code: 'USAGE', message: 'the certificate key is malformed' }),
      );
    },
  );

  it('seals as AES-256-GCM does in the test vector of its specification, nonce first and tag last', () => {
    const sealed = encryptWithKey(Buffer.alloc(16), KEY, Buffer.alloc(12));
    expect(sealed.toString('hex')).toBe(
      `${'00'.repeat(12)}cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919`,
    );
  });

  it('opens what it sealed, and nothing that was altered or sealed with another', () => {
    const sealed = encryptWithKey(Buffer.from('secret'), KEY);
    expect(decryptWithKey(sealed, KEY)?.toString()).toBe('secret');
    expect(decryptWithKey(sealed, parseCertificateKey('01'.repeat(32)))).toBeNull();
    sealed[sealed.length - 1] = (sealed.at(-1) ?? 0) ^ 1;
    expect(decryptWithKey(sealed, KEY)).toBeNull();
    expect(decryptWithKey(Buffer.alloc(3), KEY)).toBeNull();
  });
});

describe('the Secret kubeadm-certs', () => {
  it('names the files as kubeadm does, those of etcd with a hyphen', () => {
    expect([...filesToUpload(cluster().cluster).keys()].sort()).toEqual([
      'ca.crt',
      'ca.key',
      'etcd-ca.crt',
      'etcd-ca.key',
      'front-proxy-ca.crt',
      'front-proxy-ca.key',
      'sa.key',
      'sa.pub',
    ]);
  });

  it('has the client certificate in place of an authority where etcd is external', () => {
    const { etcd: _, ...rest } = cluster().cluster;
    const external = {
      endpoints: ['https://e:2379'],
      caFile: '/e/ca',
      certFile: '/e/crt',
      keyFile: '/e/key',
    };
    const files = filesToUpload({ ...rest, etcd: { external } });
    expect(files.get('external-etcd-ca.crt')).toBe('/e/ca');
    expect(files.get('external-etcd.key')).toBe('/e/key');
    expect(files.has('etcd-ca.key')).toBe(false);
  });

  it('holds no content in the clear, and is empty where a file is missing', () => {
    const contents = new Map([
      ['ca.crt', Buffer.from('certificate')],
      ['ca.key', undefined],
    ]);
    const { data = {}, metadata } = certsSecret(contents, KEY, { name: 'bootstrap-token-abcdef', uid: 'u1' });
    expect(data['ca.key']).toBe('');
    const sealed = Buffer.from(data['ca.crt'] ?? '', 'base64');
    expect(sealed.includes('certificate')).toBe(false);
    expect(decryptWithKey(sealed, KEY)?.toString()).toBe('certificate');
    expect(metadata?.ownerReferences).toMatchObject([
      { name: 'bootstrap-token-abcdef', uid: 'u1', controller: true },
    ]);
  });

  it('expires with a token that can do nothing else', () => {
    expect(expiryToken()).toMatchObject({ ttl: '2h0m0s', usages: [], groups: [] });
  });
});
