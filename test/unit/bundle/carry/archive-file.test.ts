import { createHash } from 'node:crypto';
import { readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Bundle, blobPath } from '../../../../src/bundle/bundle.js';
import { writeDelta } from '../../../../src/bundle/carry/delta.js';
import { readBundleArchive } from '../../../../src/bundle/carry/read.js';
import { unpackBundle } from '../../../../src/bundle/carry/unpack.js';
import { writeBundleArchive } from '../../../../src/bundle/carry/write.js';
import { LOCK_FILE, renderLock } from '../../../../src/bundle/lock.js';
import { openBundle } from '../../../../src/bundle/open.js';
import { papersOf, renewPapers } from '../../../../src/bundle/papers.js';
import { generateBundleKey, publicKeys, signBundleFiles } from '../../../../src/bundle/signature.js';
import { verifyBundle } from '../../../../src/bundle/verify.js';
import { scratch, smallBundle } from '../fixture.js';

const key = generateBundleKey();
const keys = publicKeys(key.publicKey, 'key.pub');

async function archiveOf(bundle: Bundle, options: { sign?: boolean; partBytes?: number } = {}) {
  const file = join(await scratch(), 'bundle.tar');
  const papers = await papersOf(bundle);
  const signature = options.sign === true ? signBundleFiles(papers, key.privateKey) : null;
  const { files } = await writeBundleArchive(bundle, {
    file,
    papers: { ...papers, signature },
    partBytes: options.partBytes,
  });
  return { file, files };
}

/** The bundle with another kubelet. */
async function newer(bundle: Bundle): Promise<Bundle> {
  const { dir } = await smallBundle();
  const content = Buffer.from('a newer kubelet');
  const sha256 = createHash('sha256').update(content).digest('hex');
  await writeFile(join(dir, 'blobs', 'sha256', sha256), content);
  const files = bundle.lock.files.map((file) => ({
    ...file,
    sha256,
    size: content.length,
    version: 'v1.36.4',
  }));
  const lock = { ...bundle.lock, files };
  await writeFile(join(dir, LOCK_FILE), renderLock(lock));
  return { dir, lock };
}

describe('a bundle file', () => {
  it('is the same however often it is written, also from what was unpacked', async () => {
    const bundle = await smallBundle();
    const first = await archiveOf(bundle);
    const unpacked = await unpackBundle(first.file, { dir: join(await scratch(), 'b') });
    const second = await archiveOf(unpacked);
    expect((await readFile(second.file)).equals(await readFile(first.file))).toBe(true);
    expect((await verifyBundle(unpacked.dir)).bundle.lock).toEqual(bundle.lock);
  });

  it('is refused with one flipped bit, wherever it is', async () => {
    const { file } = await archiveOf(await smallBundle(), { sign: true });
    const bytes = await readFile(file);
    const damaged = join(await scratch(), 'damaged.tar');
    const accepted: number[] = [];
    for (let at = 0; at < bytes.length; at += 97) {
      const copy = Buffer.from(bytes);
      copy.writeUInt8(copy.readUInt8(at) ^ (1 << (at % 8)), at);
      await writeFile(damaged, copy);
      const refused = await readBundleArchive(damaged).then(
        () => false,
        (error: { code?: string }) => error.code === 'BUNDLE',
      );
      if (!refused) accepted.push(at);
    }
    expect(accepted).toEqual([]);
  });

  it('is refused wherever it ends too early, and with something behind its end', async () => {
    const { file } = await archiveOf(await smallBundle());
    const bytes = await readFile(file);
    await writeFile(file, Buffer.concat([bytes, Buffer.alloc(1)]));
    await expect(readBundleArchive(file)).rejects.toMatchObject({
      message: expect.stringContaining('behind its end'),
    });
    for (const size of [0, 100, 512, 1000, bytes.length - 1024, bytes.length - 1]) {
      await writeFile(file, bytes);
      await truncate(file, size);
      await expect(readBundleArchive(file)).rejects.toMatchObject({
        code: 'BUNDLE',
        message: expect.stringContaining('not complete'),
      });
    }
  });

  it('leaves nothing behind when it is refused', async () => {
    const { file } = await archiveOf(await smallBundle());
    const bytes = await readFile(file);
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 1100) ^ 1, bytes.length - 1100);
    await writeFile(file, bytes);
    const parent = await scratch();
    await expect(unpackBundle(file, { dir: join(parent, 'b') })).rejects.toMatchObject({ code: 'BUNDLE' });
    expect(await readdir(parent)).toEqual([]);
  });

  it('replaces an older bundle, and no directory with anything else in it', async () => {
    const { file } = await archiveOf(await smallBundle());
    const dir = join(await scratch(), 'b');
    await unpackBundle(file, { dir });
    await unpackBundle(file, { dir });
    await writeFile(join(dir, 'notes'), 'mine');
    await expect(unpackBundle(file, { dir })).rejects.toMatchObject({ code: 'USAGE' });
    expect(await readdir(dir)).toContain('notes');
  });

  it('can be cut into parts, each of which is needed', async () => {
    const bundle = await smallBundle();
    const whole = await archiveOf(bundle);
    const { file, files } = await archiveOf(bundle, { partBytes: 4000 });
    expect(files.length).toBeGreaterThan(2);
    expect(files[0]).toBe(`${file}.001`);
    const joined = Buffer.concat(await Promise.all(files.map((part) => readFile(part))));
    expect(joined.equals(await readFile(whole.file))).toBe(true);
    expect((await readBundleArchive(file)).lock).toEqual(bundle.lock);
    expect((await readBundleArchive(`${file}.001`)).lock).toEqual(bundle.lock);
    await rm(files.at(-1) ?? '');
    await expect(readBundleArchive(file)).rejects.toMatchObject({
      message: expect.stringContaining('not complete'),
    });
    await rm(files[1] ?? '');
    await expect(readBundleArchive(file)).rejects.toMatchObject({
      message: expect.stringContaining('.002: this part is missing'),
    });
  });

  it('replaces longer series of parts that were there before', async () => {
    const bundle = await smallBundle();
    const { file } = await archiveOf(bundle, { partBytes: 2000 });
    const { files } = await writeBundleArchive(bundle, {
      file,
      papers: await papersOf(bundle),
      partBytes: 8000,
    });
    expect((await readdir(join(file, '..'))).sort()).toEqual(files.map((part) => part.split('/').at(-1)));
  });

  it('is not written from a blob that is corrupt', async () => {
    const bundle = await smallBundle();
    await writeFile(blobPath(bundle, bundle.lock.files[0]?.sha256 ?? ''), 'kubelex');
    const file = join(await scratch(), 'bundle.tar');
    await expect(writeBundleArchive(bundle, { file, papers: await papersOf(bundle) })).rejects.toMatchObject({
      message: expect.stringContaining('is corrupt'),
    });
    expect(await readdir(join(file, '..'))).toEqual([]);
  });

  it('is unpacked once, and looked at from end to end all the same', async () => {
    const { file } = await archiveOf(await smallBundle());
    const cacheDir = await scratch();
    const unpacked: string[] = [];
    const open = () => openBundle(file, { cacheDir, onUnpack: () => unpacked.push('once') });
    const first = await open();
    expect((await open()).dir).toBe(first.dir);
    expect(unpacked).toEqual(['once']);
    const bytes = await readFile(file);
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 1100) ^ 1, bytes.length - 1100);
    await writeFile(file, bytes);
    await expect(open()).rejects.toMatchObject({ code: 'BUNDLE' });
  });
});

describe('a signature', () => {
  it('is checked before anything is unpacked', async () => {
    const bundle = await smallBundle();
    const signed = await archiveOf(bundle, { sign: true });
    expect((await readBundleArchive(signed.file, { keys })).signedBy).toBe(key.keyId);
    const parent = await scratch();
    const others = publicKeys(generateBundleKey().publicKey, 'other.pub');
    await expect(unpackBundle(signed.file, { dir: join(parent, 'b'), keys: others })).rejects.toMatchObject({
      message: expect.stringContaining(`is signed by ${key.keyId}, not by`),
    });
    const unsigned = await archiveOf(bundle);
    await expect(unpackBundle(unsigned.file, { dir: join(parent, 'b'), keys })).rejects.toMatchObject({
      message: expect.stringContaining('is not signed'),
    });
    expect(await readdir(parent)).toEqual([]);
  });

  it('says nothing about another lock or another bill of materials', async () => {
    const bundle = await smallBundle();
    const papers = await papersOf(bundle);
    const signature = signBundleFiles(papers, key.privateKey);
    const file = join(await scratch(), 'bundle.tar');
    const changed = { ...papers, sbom: Buffer.from(papers.sbom.toString().replace('kubelet', 'kubelex')) };
    await writeBundleArchive(bundle, { file, papers: { ...changed, signature } });
    await expect(readBundleArchive(file, { keys })).rejects.toMatchObject({
      message: expect.stringContaining('has been changed since it was signed'),
    });
    await expect(readBundleArchive(file)).rejects.toMatchObject({
      message: expect.stringContaining('its signature is about another bundle'),
    });
  });

  it('counts when one of several keys has made it', async () => {
    const signed = await archiveOf(await smallBundle(), { sign: true });
    const both = publicKeys(`${generateBundleKey().publicKey}${key.publicKey}`, 'keys.pub');
    expect((await readBundleArchive(signed.file, { keys: both })).signedBy).toBe(key.keyId);
  });

  it('is asked of directories too, and goes when the lock is another', async () => {
    const bundle = await smallBundle();
    const open = () => openBundle(bundle.dir, { cacheDir: '', keys });
    await expect(open()).rejects.toMatchObject({ message: expect.stringContaining('is not signed') });
    await renewPapers(bundle);
    const signature = signBundleFiles(await papersOf(bundle), key.privateKey);
    await writeFile(join(bundle.dir, 'bundle.sig.json'), signature);
    expect((await open()).lock).toEqual(bundle.lock);
    await renewPapers(bundle);
    expect((await open()).lock).toEqual(bundle.lock);
    const lock = { ...bundle.lock, kubernetesVersion: 'v1.36.4' };
    await writeFile(join(bundle.dir, LOCK_FILE), renderLock(lock));
    await expect(open()).rejects.toMatchObject({ message: expect.stringContaining('changed since') });
    await renewPapers({ ...bundle, lock });
    await expect(open()).rejects.toMatchObject({ message: expect.stringContaining('is not signed') });
  });

  it('with a key that has a passphrase needs that', () => {
    const encrypted = generateBundleKey('secret');
    const signed = { lock: Buffer.from('l'), sbom: Buffer.from('s') };
    expect(() => signBundleFiles(signed, encrypted.privateKey, 'wrong')).toThrowError(
      expect.objectContaining({ code: 'PKI' }),
    );
    expect(signBundleFiles(signed, encrypted.privateKey, 'secret').toString()).toContain(encrypted.keyId);
  });
});

describe('a delta', () => {
  it('onto the old bundle gives exactly the new one', async () => {
    const old = await smallBundle();
    const next = await newer(old);
    await renewPapers(next);
    const signature = signBundleFiles(await papersOf(next), key.privateKey);
    await writeFile(join(next.dir, 'bundle.sig.json'), signature);
    const file = join(await scratch(), 'delta.tar');
    await writeDelta(old, next, { file });
    const whole = await archiveOf(next);
    expect((await readFile(file)).length).toBeLessThan((await readFile(whole.file)).length);
    const result = await unpackBundle(file, { dir: join(await scratch(), 'b'), base: old, keys });
    const [expected, actual] = [await filesIn(next.dir), await filesIn(result.dir)];
    // The new bundle's directory has the old kubelet beside it.
    expected.delete(`blobs/sha256/${old.lock.files[0]?.sha256}`);
    expect(actual).toEqual(expected);
  });

  it('is refused without its base, and with another', async () => {
    const old = await smallBundle();
    const next = await newer(old);
    const file = join(await scratch(), 'delta.tar');
    await writeDelta(old, next, { file });
    const dir = join(await scratch(), 'b');
    await expect(unpackBundle(file, { dir })).rejects.toMatchObject({
      message: expect.stringContaining('is a delta'),
    });
    await expect(unpackBundle(file, { dir, base: next })).rejects.toMatchObject({
      message: expect.stringContaining('is not the bundle that'),
    });
    await writeFile(blobPath(old, old.lock.images[0]?.blobs[2]?.sha256 ?? ''), 'shared laxer');
    await expect(unpackBundle(file, { dir, base: old })).rejects.toMatchObject({
      message: expect.stringContaining('is missing or corrupt'),
    });
  });
});

async function filesIn(dir: string): Promise<Map<string, string>> {
  const names = await readdir(dir, { recursive: true, withFileTypes: true });
  const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const read = await Promise.all(
    files.map(
      async (file) => [file.slice(dir.length + 1), (await readFile(file)).toString('base64')] as const,
    ),
  );
  return new Map(read.sort());
}
