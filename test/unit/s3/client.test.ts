import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type S3Client, type S3Settings, s3Client } from '../../../src/s3/client.js';
import { putNew } from '../../../src/s3/upload.js';
import { type WebClient, webClient } from '../../../src/web/client.js';
import { s3Place } from '../../../src/workflows/snapshot-place.js';
import { FAKE_KEYS, FAKE_REGION, type FakeS3, startFakeS3 } from '../../fakes/s3-server.js';

let server: FakeS3;
let web: WebClient;
let client: S3Client;
const withSettings = (settings: Partial<S3Settings>) =>
  s3Client(
    'backups',
    {
      endpoint: server.endpoint,
      region: FAKE_REGION,
      addressing: 'path',
      credentials: FAKE_KEYS,
      retry: { backoffMs: 1 },
      ...settings,
    },
    web,
  );
beforeEach(async () => {
  server = await startFakeS3(['backups']);
  web = webClient();
  client = withSettings({});
});
afterEach(async () => {
  await web.close();
  await server.close();
});

async function* chunks(...texts: string[]): AsyncGenerator<Buffer> {
  for (const text of texts) yield Buffer.from(text);
}

async function* broken(): AsyncGenerator<Buffer> {
  yield Buffer.from('half of it');
  throw new Error('the digest does not fit');
}

async function textOf(key: string): Promise<string> {
  const read: Buffer[] = [];
  for await (const chunk of client.get(key)) read.push(chunk);
  return Buffer.concat(read).toString();
}

describe('a client of S3', () => {
  it('writes, lists page by page, reads and removes objects of any name', async () => {
    const names = ['a b+c.db', "it's (1)*.db", 'é&<.db', 'z/deep.db', 'last.db'];
    for (const name of names) await client.put(`etcd/${name}`, Buffer.from(name));
    expect((await client.list('etcd/')).map(({ key }) => key).sort()).toEqual(
      names.map((name) => `etcd/${name}`).sort(),
    );
    expect(await textOf("etcd/it's (1)*.db")).toBe("it's (1)*.db");
    expect(await client.size('etcd/a b+c.db')).toBe(8);
    await client.remove('etcd/a b+c.db');
    expect(await client.size('etcd/a b+c.db')).toBeNull();
    await client.remove('etcd/a b+c.db');
  });

  it('says what the server has against a request, and what to do', async () => {
    const secretAccessKey = 'another secret';
    const wrong = withSettings({ credentials: { ...FAKE_KEYS, secretAccessKey } });
    const refused = await wrong.list('').catch((error: unknown) => error);
    expect(refused).toMatchObject({
      code: 'AUTHENTICATION',
      message: expect.stringContaining('SignatureDoesNotMatch: no & no'),
      hint: expect.stringContaining('secret access key'),
    });
    expect(JSON.stringify(refused)).not.toContain(secretAccessKey);
    await expect(withSettings({ region: 'elsewhere' }).list('')).rejects.toMatchObject({
      hint: expect.stringContaining('--s3-region'),
    });
    server.onRequest = () => ({ status: 404, body: '<Error><Code>NoSuchBucket</Code></Error>' });
    await expect(client.list('')).rejects.toMatchObject({ code: 'USAGE' });
  });

  it('tries again where the server may answer otherwise a little later', async () => {
    let slow = 2;
    server.onRequest = () =>
      slow-- > 0 ? { status: 503, body: '<Error><Code>SlowDown</Code></Error>' } : undefined;
    await client.put('once', Buffer.from('1'));
    expect(server.calls).toHaveLength(3);
    expect(await textOf('once')).toBe('1');
  });

  it('reads a large object in pieces, and says so where there is none', async () => {
    const large = Buffer.alloc(17 * 1024 * 1024, 'keelson');
    await client.put('large', large);
    const read: Buffer[] = [];
    for await (const chunk of client.get('large')) read.push(chunk);
    expect(read).toHaveLength(3);
    expect(Buffer.concat(read).equals(large)).toBe(true);
    await expect(textOf('none')).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('NoSuchKey'),
    });
  });

  it('puts the bucket into the host’s name where it is addressed so', async () => {
    const urls: string[] = [];
    const virtual = s3Client(
      'backups',
      { endpoint: 'https://s3.example', region: FAKE_REGION, addressing: 'virtual', credentials: FAKE_KEYS },
      {
        ...web,
        request: async (url) => {
          urls.push(url);
          throw new Error('not sent');
        },
      },
    );
    await expect(virtual.size('a/b')).rejects.toThrow('not sent');
    expect(urls).toEqual(['https://backups.s3.example/a/b']);
  });
});

describe('an object that is there as a whole or not at all', () => {
  it('goes in parts where it is large', async () => {
    expect(await putNew(client, 'large', chunks('abcdefg', 'hij', 'klmnopqrstu', 'v'), 5)).toBe(22);
    expect(await textOf('large')).toBe('abcdefghijklmnopqrstuv');
    expect(server.calls.filter((call) => call.includes('partNumber='))).toHaveLength(5);
    expect(server.open.size).toBe(0);
  });

  it('is one request where it is small, or empty', async () => {
    await putNew(client, 'small', chunks('ab', 'c'), 5);
    await putNew(client, 'empty', chunks(), 5);
    expect(await textOf('small')).toBe('abc');
    expect(await client.size('empty')).toBe(0);
    expect(server.calls.some((call) => call.includes('upload'))).toBe(false);
  });

  it('is not there where its source ends with an error, nor are parts of it', async () => {
    await expect(putNew(client, 'broken', broken(), 4)).rejects.toThrow('does not fit');
    await expect(putNew(client, 'broken', broken(), 100)).rejects.toThrow('does not fit');
    expect(await client.list('')).toEqual([]);
    expect(server.open.size).toBe(0);
  });

  it('takes no other’s place', async () => {
    await client.put('mine', Buffer.from('1'));
    await expect(putNew(client, 'mine', chunks('2'))).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await textOf('mine')).toBe('1');
  });
});

describe('a place for snapshots in a bucket', () => {
  it('has their names and addresses, without its prefix', async () => {
    const place = s3Place(client, { bucket: 'backups', key: 'etcd' });
    expect(await place.write('a.db', chunks('1'))).toBe('s3://backups/etcd/a.db');
    await place.write('b.db', chunks('2'));
    await client.put('etcd-other/c.db', Buffer.from('3'));
    expect(await place.names()).toEqual(['a.db', 'b.db']);
    await place.remove(['a.db']);
    expect(await place.names()).toEqual(['b.db']);
  });
});
