import { createServer, type Server } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { etcdHosts } from '../../../../src/config/inventory.js';
import type { ClusterConfig } from '../../../../src/config/types.js';
import type { HostReader } from '../../../../src/host/types.js';
import { judgeExternalEtcd } from '../../../../src/phases/preflight/external-etcd.js';
import { contentsOf, issueClusterPki, issueHostPki } from '../../../../src/pki/cluster-pki.js';
import { createFakeHost } from '../../../fakes/fake-host.js';
import { CP1, config, W1 } from '../../manifests/fixture.js';
import { clusterWithEtcd, fakeSession } from '../../workflows/fixture.js';
import { one, problems, subject } from './support.js';

const PKI = '/etc/kubernetes/pki';
const FILES = {
  caFile: `${PKI}/etcd/ca.crt`,
  certFile: `${PKI}/apiserver-etcd-client.crt`,
  keyFile: `${PKI}/apiserver-etcd-client.key`,
};

/** Certificates of an etcd that serves on loopback, and of a client of it. */
async function certificates(): Promise<Map<string, Buffer>> {
  const made = clusterWithEtcd();
  const [plane] = made.hosts;
  const [member] = etcdHosts(made);
  if (plane === undefined || member === undefined) throw new Error('no host');
  const { cluster } = made;
  const context = { now: new Date() };
  const existing = contentsOf(await issueClusterPki({ cluster, context }));
  const [server, client] = await Promise.all(
    [member, plane].map(async (host) => contentsOf(await issueHostPki({ cluster, host, existing, context }))),
  );
  return new Map([...existing, ...(server ?? []), ...(client ?? [])]);
}

describe('an etcd that is run elsewhere', () => {
  let files: Map<string, Buffer>;
  let server: Server;
  let says = { version: '3.6.8', health: 'true' };
  let url = '';
  beforeAll(async () => {
    files = await certificates();
    server = createServer(
      {
        cert: files.get(`${PKI}/etcd/server.crt`),
        key: files.get(`${PKI}/etcd/server.key`),
        ca: files.get(FILES.caFile),
        requestCert: true,
        rejectUnauthorized: true,
      },
      (request, response) => {
        const { version, health } = says;
        response.end(JSON.stringify(request.url === '/version' ? { etcdserver: version } : { health }));
      },
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => server.close());

  const hostWith = (paths: readonly string[], content = (path: string) => files.get(path)): HostReader => {
    const host = createFakeHost({ name: 'cp1' });
    for (const path of paths) {
      const found = content(path);
      if (found !== undefined)
        host.files.set(path, { content: found, mode: 0o600, owner: 'root:root', type: 'file' });
    }
    return { ...host, forward: async (address, port) => connect(port, address) };
  };
  const judge = (reader: HostReader, of = CP1, etcdClient?: Map<string, Buffer>, endpoints = [url]) => {
    const made: ClusterConfig = config({}, { etcd: { external: { endpoints, ...FILES } } });
    const { context } = fakeSession(made);
    const full = { ...context, ...(etcdClient === undefined ? {} : { etcdClient }) };
    return judgeExternalEtcd(full, subject({ config: made, host: of }), reader);
  };
  const all = Object.values(FILES);

  it('is asked for version and health with the certificate that is on the control plane', async () => {
    const outcomes = await judge(hostWith(all));
    expect(problems(outcomes)).toEqual([]);
    expect(one(outcomes, 'ExternalEtcd', 'ok').message).toBe(`${url} is etcd 3.6.8, healthy`);
  });

  it('is asked with the operator’s files where these are to be brought', async () => {
    expect(problems(await judge(hostWith([])))).toEqual(['error ExternalEtcdClient']);
    const brought = new Map(all.map((path) => [path, files.get(path) ?? Buffer.alloc(0)]));
    expect(problems(await judge(hostWith([]), CP1, brought))).toEqual([]);
  });

  it('is no business of workers', async () => {
    expect(await judge(hostWith(all), W1)).toEqual([]);
  });

  it('is refused where it is old, ill, or not there', async () => {
    for (const [version, health, check] of [
      ['3.5.23', 'true', 'ExternalEtcdVersion'],
      ['3.4.30', 'true', 'ExternalEtcdVersion'],
      ['3.5.24', 'false', 'ExternalEtcd'],
    ] as const) {
      says = { version, health };
      expect(problems(await judge(hostWith(all)))).toEqual([`error ${check}`]);
    }
    says = { version: '3.6.8', health: 'true' };
    const outcomes = await judge(hostWith(all), CP1, undefined, ['https://127.0.0.1:1']);
    expect(one(outcomes, 'ExternalEtcd', 'error').message).toContain('https://127.0.0.1:1 does not answer');
  });

  it('is not asked with a certificate of another authority or another key', async () => {
    const other = await certificates();
    const wrongCa = hostWith(all, (path) => (path === FILES.caFile ? other : files).get(path));
    expect(one(await judge(wrongCa), 'ExternalEtcdClient', 'error').message).toContain('is not signed by');
    const wrongKey = hostWith(all, (path) => (path === FILES.keyFile ? other : files).get(path));
    expect(one(await judge(wrongKey), 'ExternalEtcdClient', 'error').message).toContain('is not the key of');
  });
});
