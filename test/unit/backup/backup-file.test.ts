import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { beforeAll, describe, expect, it } from 'vitest';
import { type BackupPart, backupArchive, openBackup } from '../../../src/backup/backup-file.js';
import { decrypted, encryption } from '../../../src/backup/encryption.js';
import { backupReport } from '../../../src/workflows/backup-verify.js';
import { issuedFiles, NOW } from '../pki/fixtures.js';
import { collect, folder, pieces, snapshotBytes } from './fixtures.js';

const ABOUT = {
  cluster: 'demo',
  createdAt: '2026-11-23T11:00:00.000Z',
  kubernetesVersion: 'v1.36.3',
  revision: 12,
  member: 'cp1',
};
const SHARED = ['ca', 'front-proxy-ca', 'etcd/ca'].flatMap((name) => [`${name}.crt`, `${name}.key`]);

describe('a backup', () => {
  let identity: string;
  let pki: BackupPart[];
  beforeAll(async () => {
    identity = await generateX25519Identity();
    const files = await issuedFiles();
    pki = [...SHARED, 'sa.key', 'sa.pub'].map((name) => ({
      name: `hosts/cp1/etc/kubernetes/pki/${name}`,
      content: files.get(`/etc/kubernetes/pki/${name}`) ?? Buffer.from(''),
    }));
  });

  const parts = () => [{ name: 'cluster.yaml', content: Buffer.from('kind: Cluster\n') }, ...pki];

  async function encryptedFile(archive: AsyncIterable<Buffer>): Promise<string> {
    const encrypt = await encryption({ recipients: [await identityToRecipient(identity)] });
    const file = join(await folder(), 'demo.keelson.age');
    await writeFile(file, await collect(encrypt(archive)));
    return file;
  }

  const archive = (given: BackupPart[], bytes = snapshotBytes(), about = ABOUT) =>
    backupArchive(about, given, { chunks: pieces(bytes), size: bytes.length });
  const opened = async (source: AsyncIterable<Buffer>) =>
    openBackup(await encryptedFile(source), async () => ({ identities: [identity] }));

  it('gives back what went in, checked', async () => {
    const backup = await opened(archive(parts()));
    expect(backup.files.get('cluster.yaml')?.toString()).toBe('kind: Cluster\n');
    expect(backup.snapshot.content.equals(snapshotBytes())).toBe(true);
    const report = backupReport(backup, NOW.getTime());
    expect(report).toMatchObject({
      cluster: 'demo',
      revision: 12,
      ageMs: NOW.getTime() - Date.parse(ABOUT.createdAt),
      secrets: { plain: 1, aescbc: 1 },
    });
    expect(report.authorities.map(({ commonName }) => commonName).sort()).toEqual([
      'etcd-ca',
      'front-proxy-ca',
      'kubernetes',
    ]);
    expect(report.problems).toEqual([
      '1 Secrets are encrypted, and the key that the API server reads them with is not in it',
    ]);
  });

  it('says what a cluster could not be brought back for', async () => {
    const lacking = parts().filter(({ name }) => !name.endsWith('sa.key'));
    const ca = lacking.find(({ name }) => name.endsWith('pki/ca.key'));
    const other = lacking.find(({ name }) => name.endsWith('etcd/ca.key'));
    const mixed = lacking.map((part) =>
      part === ca ? { ...part, content: other?.content ?? part.content } : part,
    );
    const { problems } = backupReport(
      await opened(archive(mixed, snapshotBytes(), { ...ABOUT, revision: 99 })),
      NOW.getTime(),
    );
    expect(problems.slice(0, 3)).toEqual([
      'it lacks sa.key',
      "the key beside /etc/kubernetes/pki/ca.crt is another's",
      'its snapshot ends at revision 12, though 99 was there',
    ]);
  });

  it('refuses a snapshot in which a bit was flipped before it was encrypted', async () => {
    const bytes = snapshotBytes();
    bytes[9000] = (bytes[9000] ?? 0) ^ 1;
    await expect(opened(archive(parts(), bytes))).rejects.toMatchObject({ code: 'VERIFY' });
  });

  it('refuses a file that was cut off', async () => {
    const file = await encryptedFile(archive(parts()));
    const bytes = await collect(createReadStream(file));
    await writeFile(file, bytes.subarray(0, bytes.length - 5000));
    await expect(openBackup(file, async () => ({ identities: [identity] }))).rejects.toMatchObject({
      code: 'VERIFY',
    });
  });

  it('is a plain tar archive once it is decrypted, without anything else readable before', async () => {
    const file = await encryptedFile(archive(parts()));
    expect((await collect(createReadStream(file))).includes('PRIVATE KEY')).toBe(false);
    const plain = await collect(decrypted(createReadStream(file), { identities: [identity] }, file));
    expect(plain.subarray(257, 262).toString()).toBe('ustar');
  });

  it('fails where the snapshot has not as many bytes as were announced', async () => {
    const bytes = snapshotBytes();
    const short = backupArchive(ABOUT, parts(), { chunks: pieces(bytes), size: bytes.length + 1 });
    await expect(collect(short)).rejects.toThrow('etcd/snapshot.db has 20512 bytes instead of 20513');
  });
});
