import { mkdtemp, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { trustStore } from '../../../../src/phases/trust-store.js';
import { contentsOf, issueClusterPki, issueHostPki } from '../../../../src/pki/cluster-pki.js';
import { readKeyFile, writeKeyFile } from '../../../../src/workflows/certs/key-file.js';
import { cluster } from '../fixture.js';
import { PKI } from './fixture.js';

const WITH = { recipients: [], passphrase: 'three secret words' };
const HOW = async () => ({ identities: [], passphrase: 'three secret words' });

describe('a file with keys of authorities', () => {
  const keys = [{ name: 'ca', certPem: 'CERTIFICATE', keyPem: 'PRIVATE KEY' }];
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'keelson-keys-'));
  });

  it('is encrypted, readable for its owner alone, and read with what it was written with', async () => {
    const file = join(folder, 'keys.age');
    await writeKeyFile(file, 'demo', keys, WITH);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await readFile(file)).toString('latin1')).not.toContain('PRIVATE KEY');
    expect(await readKeyFile(file, 'demo', HOW)).toEqual(keys);
    await expect(readKeyFile(file, 'other', HOW)).rejects.toThrow('is of the cluster demo');
    const wrong = async () => ({ identities: [], passphrase: 'wrong' });
    await expect(readKeyFile(file, 'demo', wrong)).rejects.toThrow("can't be decrypted");
  });

  it('never takes the place of another file, and is never taken from one that is not encrypted', async () => {
    const file = join(folder, 'plain');
    await writeFile(file, JSON.stringify({ formatVersion: 1, cluster: 'demo', authorities: keys }));
    await expect(writeKeyFile(file, 'demo', keys, WITH)).rejects.toThrow('is there already');
    await expect(readKeyFile(file, 'demo', HOW)).rejects.toThrow('is no encrypted file');
  });
});

describe('a cluster whose authorities have their keys elsewhere', () => {
  const config = cluster();
  const [host] = config.hosts;
  if (host === undefined) throw new Error('a cluster of no hosts');
  const context = { now: new Date() };
  const at = (path: string) => `${PKI}/${path}`;
  let files: Map<string, Buffer>;
  let keyPem: string;

  /** What the control plane has, without the keys of authorities. */
  beforeAll(async () => {
    const shared = contentsOf(await issueClusterPki({ cluster: config.cluster, context }));
    const own = await issueHostPki({ cluster: config.cluster, host, existing: shared, context });
    files = new Map([...shared, ...contentsOf(own)]);
    keyPem = files.get(at('ca.key'))?.toString() ?? '';
    for (const name of ['ca.key', 'front-proxy-ca.key', 'etcd/ca.key']) files.delete(at(name));
  });

  const storeOf = (keys: { certPem: string; keyPem: string }[], present = files) => {
    const store = trustStore(config, Date.now, { keys });
    const states = [...present].map(
      ([path, content]) =>
        [path, { path, type: 'file', mode: 0o600, owner: '', size: 0, mtime: '', content }] as const,
    );
    store.observed(host.name, { files: new Map(states), units: new Map(), probes: new Map() });
    return store;
  };
  const brought = () => [{ certPem: files.get(at('ca.crt'))?.toString() ?? '', keyPem }];
  const without = (path: string) => new Map([...files].filter(([name]) => !name.startsWith(at(path))));

  it('signs nothing by itself', async () => {
    const store = storeOf([]);
    expect(store.keyAtHand('ca')).toBe(false);
    expect(await store.authority('ca')).toBeNull();
    const lacking = storeOf([], without('apiserver.'));
    expect(lacking.entries(host.name).find(({ name }) => name === 'apiserver')?.standing).toBe('invalid');
  });

  it('signs with a key that was brought, which no host gets', async () => {
    const store = storeOf(brought(), without('apiserver.'));
    expect(store.keyAtHand('ca')).toBe(true);
    expect(store.keyAtHand('etcd-ca')).toBe(false);
    expect(await store.authority('ca')).not.toBeNull();
    const entries = store.entries(host.name);
    expect(entries.find(({ name }) => name === 'apiserver')?.standing).toBe('missing');
    expect(entries.find(({ name }) => name === 'ca')).toMatchObject({ standing: 'ok', external: true });
    expect((await store.file(host.name, at('apiserver.crt'))).toString()).toContain('BEGIN CERTIFICATE');
  });

  it('does not take the key of another authority for its own', async () => {
    const other = await issueClusterPki({ cluster: config.cluster, context });
    const text = (name: string) => other.get(at(name))?.content.toString() ?? '';
    expect(storeOf([{ certPem: text('ca.crt'), keyPem: text('ca.key') }]).keyAtHand('ca')).toBe(false);
  });
});
