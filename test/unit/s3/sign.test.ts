import { describe, expect, it } from 'vitest';
import { encodePart, sha256Hex, signed } from '../../../src/s3/sign.js';

// The examples of docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
const KEYS = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
};
const AT = { region: 'us-east-1', at: Date.parse('2013-05-24T00:00:00Z') };
const signatureOf = (path: string, headers: Record<string, string> = {}) =>
  signed(
    {
      method: 'GET',
      url: new URL(`https://examplebucket.s3.amazonaws.com${path}`),
      payload: sha256Hex(''),
      headers,
    },
    KEYS,
    AT,
  ).authorization?.replace(/.*Signature=/, '');

describe('the signature of a request', () => {
  it('is the one that AWS documents', () => {
    expect(signatureOf('/test.txt', { range: 'bytes=0-9' })).toBe(
      'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    );
    expect(signatureOf('/?lifecycle')).toBe(
      'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
    );
    expect(signatureOf('/?max-keys=2&prefix=J')).toBe(
      '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
    );
  });

  it('covers the token of temporary credentials, and names no secret', () => {
    const url = new URL('https://b.example/k');
    const headers = signed(
      { method: 'PUT', url, payload: sha256Hex('x') },
      { ...KEYS, sessionToken: 't' },
      AT,
    );
    expect(headers.authorization).toContain('x-amz-security-token');
    expect(headers['x-amz-security-token']).toBe('t');
    expect(JSON.stringify(headers)).not.toContain(KEYS.secretAccessKey);
  });
});

describe('encodePart', () => {
  it('leaves only unreserved characters', () => {
    expect(encodePart("a b+c/d'(e)*~-_.é")).toBe('a%20b%2Bc%2Fd%27%28e%29%2A~-_.%C3%A9');
  });
});
