import { describe, expect, it } from 'vitest';
import {
  createEncryptionKey,
  readEncryption,
  withEncryptionKeys,
} from '../../../src/pki/encryption-config.js';

const PATH = '/etc/kubernetes/enc.yaml';
const old = { name: 'one', secret: Buffer.alloc(32, 1).toString('base64') };
const fresh = { name: 'two', secret: Buffer.alloc(32, 2).toString('base64') };
const older = { name: 'zero', secret: Buffer.alloc(32, 3).toString('base64') };

const file = (providers: string) => `# ours
apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
  - resources: [secrets, configmaps]
    providers:
${providers}      - identity: {}
`;
const keyed = (...keys: { name: string; secret: string }[]) =>
  `      - aescbc:\n          keys:\n${keys.map(({ name, secret }) => `            - name: ${name}\n              secret: ${secret}\n`).join('')}`;

describe('an encryption configuration', () => {
  it('names the key that writes and what it writes', () => {
    expect(readEncryption(file(keyed(old, older)), PATH)).toEqual({
      provider: 'aescbc',
      key: old,
      resources: ['secrets', 'configmaps'],
    });
  });

  it('gets the keys in their order, and keeps those that somebody else put there, and comments', () => {
    const both = withEncryptionKeys(file(keyed(old, older)), PATH, [old, fresh], [old, fresh]);
    expect(both).toBe(file(keyed(old, fresh, older)));
    const turned = withEncryptionKeys(both, PATH, [fresh, old], [old, fresh]);
    expect(turned).toBe(file(keyed(fresh, old, older)));
    expect(withEncryptionKeys(turned, PATH, [fresh], [old, fresh])).toBe(file(keyed(fresh, older)));
    expect(withEncryptionKeys(turned, PATH, [old], [old, fresh])).toBe(file(keyed(old, older)));
  });

  it('says what it can’t replace', () => {
    expect(() => readEncryption('kind: Pod', PATH)).toThrow(`${PATH} is no EncryptionConfiguration`);
    expect(() => readEncryption(file(''), PATH)).toThrow('encrypts secrets, configmaps with identity');
    const second = file(keyed(fresh)).split('resources:\n')[1];
    expect(() => readEncryption(file(keyed(old)) + second, PATH)).toThrow('several keys that write');
  });
});

describe('a new key', () => {
  it('has 32 bytes, and the day in its name', () => {
    const key = createEncryptionKey(new Date('2026-11-23T12:00:00Z'));
    expect(key.name).toMatch(/^key-2026-11-23-[0-9a-f]{6}$/);
    expect(Buffer.from(key.secret, 'base64')).toHaveLength(32);
  });
});
