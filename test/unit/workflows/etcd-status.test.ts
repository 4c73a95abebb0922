import { describe, expect, it } from 'vitest';
import { KeelsonError } from '../../../src/errors/keelson-error.js';
import { etcdStatus } from '../../../src/workflows/etcd-status.js';
import { fakeSession } from './fixture.js';

describe('etcdStatus', () => {
  it('says why no control plane could be reached', async () => {
    const session = fakeSession();
    const failures = new Map([['cp1', new KeelsonError('CONNECTION', 'did not answer', { host: 'cp1' })]]);
    await expect(etcdStatus({ ...session, hosts: new Map(), failures })).rejects.toMatchObject({
      code: 'CONNECTION',
      host: 'cp1',
    });
  });

  it('says that there is no cluster, and issues nothing to ask with', async () => {
    const session = fakeSession();
    await expect(etcdStatus(session)).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(session.fakes.get('cp1')?.mutations()).toEqual([]);
  });
});
