import { type AddressInfo, connect } from 'node:net';
import { createServer, type Server } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { uncheckedKubelets } from '../../../src/phases/kubelet-certificates.js';
import { type CertAndKey, createAuthority, createLeaf, openAuthority } from '../../../src/pki/issue.js';
import { createFakeApi } from '../../fakes/fake-api.js';
import { fakeSession } from '../workflows/fixture.js';

const CA = '/etc/kubernetes/pki/ca.crt';
const now = new Date();
const servers: Server[] = [];

async function authority(): Promise<CertAndKey> {
  return createAuthority(
    { commonName: 'kubernetes', algorithm: 'ECDSA-P256', validityMs: 3_600_000 },
    { now },
  );
}

/** A kubelet on this computer. @returns its port */
async function kubelet(by: CertAndKey, ip: string): Promise<number> {
  const { certPem, keyPem } = await createLeaf(
    {
      commonName: 'system:node:w1',
      organizations: ['system:nodes'],
      usages: ['serverAuth'],
      sans: { dns: ['w1'], ips: [ip] },
      algorithm: 'ECDSA-P256',
      validityMs: 60_000,
      notBefore: 'backdated',
    },
    await openAuthority(by, { cert: 'ca.crt', key: 'ca.key' }),
    { now },
  );
  const server = createServer({ cert: certPem, key: keyPem });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const node = (name: string, port: number) => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name },
  status: {
    addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
    daemonEndpoints: { kubeletEndpoint: { Port: port } },
  },
});

describe('kubelets that API servers would not know', () => {
  let own: CertAndKey;
  let other: CertAndKey;
  beforeAll(async () => {
    [own, other] = await Promise.all([authority(), authority()]);
  });
  afterAll(() => {
    for (const server of servers) server.close();
  });

  async function found(...nodes: ReturnType<typeof node>[]): Promise<string[]> {
    const session = fakeSession();
    const host = session.fakes.get('cp1');
    if (host === undefined) throw new Error('no host');
    host.files.set(CA, {
      content: Buffer.from(own.certPem),
      mode: 0o644,
      owner: 'root:root',
      type: 'file',
    });
    const api = createFakeApi(...nodes);
    const reader = { ...host, forward: async (address: string, port: number) => connect(port, address) };
    return uncheckedKubelets({ ...session.context, api: () => api, reader: () => reader }, 'cp1');
  }

  it('are none of those with a certificate of the cluster’s CA for where they are', async () => {
    expect(await found(node('w1', await kubelet(own, '127.0.0.1')))).toEqual([]);
  });

  it('have one of another authority, or for elsewhere, or none', async () => {
    const strange = await kubelet(other, '127.0.0.1');
    const elsewhere = await kubelet(own, '10.0.0.9');
    expect(await found(node('w1', strange), node('w2', elsewhere), node('w3', 1))).toEqual([
      'w1 shows a certificate of another authority',
      'w2 shows one that is not for 127.0.0.1',
      expect.stringMatching(/^w3 shows none: /),
    ]);
  });
});
