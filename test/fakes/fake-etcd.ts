import { createSecureServer, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import type { ClientCredentials } from '../../src/cluster/tls-agent.js';
import type { HostReader } from '../../src/host/types.js';
import { createAuthority, createLeaf, openAuthority } from '../../src/pki/issue.js';

/** What the server does with one call: writes gRPC messages, then ends with a status or breaks off. */
export type Answer = (stream: ServerHttp2Stream) => void;

export interface FakeEtcd {
  /** A host that reaches the server whatever address it is told. */
  host: HostReader;
  credentials: ClientCredentials;
  /** Paths that were asked for. */
  paths: string[];
  close: () => Promise<void>;
}

/** A member that speaks gRPC over TLS and answers every call alike. */
export async function fakeEtcd(answer: Answer): Promise<FakeEtcd> {
  const spec = { algorithm: 'ECDSA-P256', validityMs: 3_600_000 } as const;
  const context = { now: new Date() };
  const ca = await createAuthority({ ...spec, commonName: 'etcd-ca' }, context);
  const authority = await openAuthority(ca, { cert: 'ca.crt', key: 'ca.key' });
  const leaf = (commonName: string) =>
    createLeaf(
      {
        ...spec,
        commonName,
        organizations: [],
        usages: ['serverAuth', 'clientAuth'],
        sans: { dns: ['localhost'], ips: [] },
        notBefore: 'backdated',
      },
      authority,
      context,
    );
  const [server, client] = await Promise.all([leaf('server'), leaf('client')]);
  const paths: string[] = [];
  const http2 = createSecureServer({
    ca: ca.certPem,
    cert: server.certPem,
    key: server.keyPem,
    requestCert: true,
  });
  http2.on('stream', (stream, headers) => {
    paths.push(String(headers[':path']));
    stream.on('error', () => undefined);
    answer(stream);
  });
  await new Promise<void>((resolve) => http2.listen(0, '127.0.0.1', resolve));
  const { port } = http2.address() as AddressInfo;
  return {
    host: { name: 'cp1', forward: async () => connect({ port, host: '127.0.0.1' }) } as unknown as HostReader,
    credentials: { ca: ca.certPem, cert: client.certPem, key: client.keyPem },
    paths,
    close: () => new Promise((resolve) => http2.close(() => resolve())),
  };
}

/** A gRPC message of a snapshot: bytes, and how many of the database are still to come. */
export function snapshotMessage(blob: Buffer, remaining: number): Buffer {
  const message = Buffer.concat([
    Buffer.from([0x10]),
    varint(remaining),
    Buffer.from([0x1a]),
    varint(blob.length),
    blob,
  ]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) | 0x80);
  }
}
