import { describe, expect, it } from 'vitest';
import { generateToken, parseToken, tokenFromSecret, tokenSecret } from '../../../src/join/token.js';

const NOW = new Date('2026-11-23T12:00:00.750Z');
const SPEC = {
  token: 'abcdef.0123456789abcdef',
  usages: ['signing', 'authentication'],
  groups: ['system:bootstrappers:kubeadm:default-node-token'],
};

describe('tokens', () => {
  it('are generated in the form that is parsed', () => {
    const tokens = Array.from({ length: 50 }, () => generateToken());
    for (const token of tokens) expect(`${parseToken(token).id}.${parseToken(token).secret}`).toBe(token);
    expect(new Set(tokens).size).toBe(50);
  });

  it('draw from digits and lower-case letters only', () => {
    expect(generateToken(() => 0)).toBe('000000.0000000000000000');
    expect(generateToken((max) => max - 1)).toBe('zzzzzz.zzzzzzzzzzzzzzzz');
  });

  it.each([
    '',
    'abcdef',
    'abcdef.0123456789abcde',
    'ABCDEF.0123456789abcdef',
    'abcdef.0123456789abcdef\n',
    ' abcdef.0123456789abcdef',
  ])('of the form %j are refused without being quoted', (token) => {
    const attempt = () => parseToken(token);
    expect(attempt).toThrow(
      expect.objectContaining({ code: 'USAGE', message: 'the bootstrap token is malformed' }),
    );
  });
});

describe('tokenSecret', () => {
  it("is kubeadm's Secret", () => {
    const secret = tokenSecret({ ...SPEC, description: 'for w1', ttl: '24h0m0s' }, NOW);
    expect(secret).toMatchObject({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'bootstrap-token-abcdef', namespace: 'kube-system' },
      type: 'bootstrap.kubernetes.io/token',
    });
    const decoded = Object.entries(secret.data ?? {}).map(([key, value]) => [
      key,
      Buffer.from(value, 'base64').toString(),
    ]);
    expect(Object.fromEntries(decoded)).toEqual({
      'token-id': 'abcdef',
      'token-secret': '0123456789abcdef',
      description: 'for w1',
      expiration: '2026-11-24T12:00:00Z',
      'usage-bootstrap-signing': 'true',
      'usage-bootstrap-authentication': 'true',
      'auth-extra-groups': 'system:bootstrappers:kubeadm:default-node-token',
    });
  });

  it('never expires with a ttl of 0, and prefers a given time', () => {
    expect(tokenSecret({ ...SPEC, ttl: '0s' }, NOW).data).not.toHaveProperty('expiration');
    const spec = { ...SPEC, ttl: '1h', expires: '2030-01-31T13:00:00+01:00' };
    expect(tokenFromSecret(tokenSecret(spec, NOW))?.expires).toBe('2030-01-31T12:00:00Z');
  });

  it.each([
    { ...SPEC, usages: ['sign'] },
    { ...SPEC, groups: ['system:masters'] },
    { ...SPEC, groups: ['system:bootstrappers:a,system:masters'] },
    { ...SPEC, expires: 'tomorrow' },
  ])('refuses %j', (spec) => {
    expect(() => tokenSecret(spec, NOW)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });
});

describe('tokenFromSecret', () => {
  it('gives back what was put in', () => {
    const spec = { ...SPEC, description: 'd', expires: '2030-01-31T12:00:00Z' };
    expect(tokenFromSecret(tokenSecret(spec, NOW))).toEqual({
      ...spec,
      usages: ['authentication', 'signing'],
    });
  });

  it('takes a Secret of another name or without token for no token', () => {
    const secret = tokenSecret(SPEC, NOW);
    expect(tokenFromSecret({ ...secret, metadata: { name: 'bootstrap-token-ffffff' } })).toBeNull();
    expect(tokenFromSecret({ ...secret, data: {} })).toBeNull();
  });
});
