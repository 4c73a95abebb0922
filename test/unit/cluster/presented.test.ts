import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer as createTcpServer, type Server } from 'node:net';
import { createServer } from 'node:tls';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { presentedChain } from '../../../src/cluster/presented.js';
import type { HostReader } from '../../../src/host/types.js';
import { createFakeHost } from '../../fakes/fake-host.js';
import { DAY, issuedFiles, NOW, scope } from '../pki/fixtures.js';

const PKI = '/etc/kubernetes/pki';
const never = new AbortController().signal;
let files: Map<string, Buffer>;
const servers: Server[] = [];

beforeAll(async () => {
  files = await issuedFiles(scope(), new Date(NOW.getTime() - 2000 * DAY));
});
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

const text = (name: string) => files.get(`${PKI}/${name}`)?.toString() ?? '';
const host: HostReader = {
  ...createFakeHost({ name: 'cp1' }),
  forward: async (address, port) => connect(port, address),
};

async function portOf(server: Server): Promise<number> {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

describe('presentedChain', () => {
  it.each([
    ['which has expired', {}],
    ['that wants a client certificate', { requestCert: true, rejectUnauthorized: true }],
    [
      'that wants one, with TLS 1.2',
      { requestCert: true, rejectUnauthorized: true, maxVersion: 'TLSv1.2' as const },
    ],
  ])('tells what a server presents %s', async (_case, options) => {
    const server = createServer({
      cert: text('etcd/server.crt') + text('etcd/ca.crt'),
      key: text('etcd/server.key'),
      ca: text('etcd/ca.crt'),
      ...options,
    });
    server.on('tlsClientError', () => undefined);
    const port = await portOf(server);
    const chain = await presentedChain(host, { address: '127.0.0.1', port }, never);
    expect(chain.map((der) => new X509Certificate(der).subject)).toEqual(['CN=cp1', 'CN=etcd-ca']);
  });

  it('fails where there is no TLS', async () => {
    const port = await portOf(createTcpServer((socket) => void socket.end('SSH-2.0-x\r\n')));
    await expect(presentedChain(host, { address: '127.0.0.1', port }, never)).rejects.toMatchObject({
      code: 'CONNECTION',
      host: 'cp1',
    });
  });
});
