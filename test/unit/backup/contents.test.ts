import { describe, expect, it } from 'vitest';
import { resourceOf, snapshotContents } from '../../../src/backup/contents.js';
import { fileOf, snapshotBytes } from './fixtures.js';

describe('the content of a snapshot', () => {
  it('is counted by resource at its newest revision: what was deleted is not there, what was rewritten once', async () => {
    expect(await snapshotContents(await fileOf(snapshotBytes()))).toEqual({
      revision: 12,
      keys: 8,
      valueBytes: expect.any(Number),
      objects: {
        namespaces: 1,
        pods: 1,
        secrets: 2,
        services: 1,
        endpoints: 1,
        'stable.example.com/widgets': 1,
      },
      encryptedSecrets: { aescbc: 1 },
      members: ['cp1'],
    });
  });

  it('is refused where the file is no database', async () => {
    const nothing = await fileOf(Buffer.alloc(20_480, 'x'));
    await expect(snapshotContents(nothing)).rejects.toMatchObject({ code: 'VERIFY' });
    await expect(snapshotContents(await fileOf(Buffer.alloc(0)))).rejects.toThrow('no valid meta page');
  });

  it('is refused where pages of the database are missing', async () => {
    const cut = await fileOf(snapshotBytes().subarray(0, 8192));
    await expect(snapshotContents(cut)).rejects.toThrow('is no database of etcd');
  });
});

describe('the resource of a key', () => {
  it.each([
    ['/registry/pods/default/a', 'pods'],
    ['/registry/namespaces/default', 'namespaces'],
    ['/registry/services/specs/default/kubernetes', 'services'],
    ['/registry/services/endpoints/default/kubernetes', 'endpoints'],
    ['/registry/apiregistration.k8s.io/apiservices/v1.', 'apiregistration.k8s.io/apiservices'],
    ['/registry/stable.example.com/widgets/default/q', 'stable.example.com/widgets'],
    ['compact_rev_key', null],
    ['/registry/health', null],
  ])('of %s is %s', (key, resource) => {
    expect(resourceOf(key)).toBe(resource);
  });
});
