import { describe, expect, it } from 'vitest';
import { clusterClient } from '../../../src/cluster/client.js';
import { etcdClient } from '../../../src/cluster/etcd.js';
import { KeelsonError } from '../../../src/errors/keelson-error.js';
import type { HostReader } from '../../../src/host/types.js';
import { createFakeHost } from '../../fakes/fake-host.js';

const CREDENTIALS = { ca: '', cert: '', key: '' };
const AT = { address: '10.0.0.1', port: 6443 };

/** A host whose forwarded channels fail with that. */
function failing(retryable: boolean): HostReader {
  const error = new KeelsonError('CONNECTION', 'no channel', { host: 'cp1', retryable });
  return { ...createFakeHost({ name: 'cp1' }), forward: () => Promise.reject(error) };
}

describe.each([
  [
    'the Kubernetes API',
    (host: HostReader) =>
      clusterClient(host, AT, CREDENTIALS, new AbortController().signal).request('GET', '/readyz'),
  ],
  ['etcd', (host: HostReader) => etcdClient(host, CREDENTIALS, new AbortController().signal, AT).members()],
])('%s through a host', (_, ask) => {
  it('is worth another try while only it does not answer', async () => {
    await expect(ask(failing(true))).rejects.toMatchObject({ code: 'CONNECTION', retryable: true });
  });

  it('is not once the SSH connection is lost', async () => {
    await expect(ask(failing(false))).rejects.toMatchObject({
      code: 'CONNECTION',
      message: 'no channel',
      retryable: false,
    });
  });
});
