import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { describe, expect, it } from 'vitest';
import { decrypted, encryption, isEncrypted } from '../../../src/backup/encryption.js';
import { collect, pieces, snapshotBytes } from './fixtures.js';

async function encryptedFor(recipients: readonly string[]): Promise<Buffer> {
  const encrypt = await encryption({ recipients });
  return collect(encrypt(pieces(snapshotBytes())));
}

describe('encryption of files', () => {
  it('gives back to a recipient what went in, and nothing readable to others', async () => {
    const identity = await generateX25519Identity();
    const file = await encryptedFor([await identityToRecipient(identity)]);
    expect(isEncrypted(file)).toBe(true);
    expect(isEncrypted(snapshotBytes())).toBe(false);
    expect(file.includes('/registry/')).toBe(false);
    const plain = await collect(decrypted(pieces(file), { identities: [identity] }, 'x'));
    expect(plain.equals(snapshotBytes())).toBe(true);
  });

  it('takes a passphrase', async () => {
    const encrypt = await encryption({ recipients: [], passphrase: 'correct horse' });
    const file = await collect(encrypt(pieces(Buffer.from('secret'))));
    const plain = await collect(
      decrypted(pieces(file), { identities: [], passphrase: 'correct horse' }, 'x'),
    );
    expect(plain.toString()).toBe('secret');
    const wrong = collect(decrypted(pieces(file), { identities: [], passphrase: 'battery' }, 'x.age'));
    await expect(wrong).rejects.toThrow("x.age can't be decrypted with what was given");
  });

  it('refuses another’s key, and a file in which a bit was flipped or that was cut off', async () => {
    const identity = await generateX25519Identity();
    const file = await encryptedFor([await identityToRecipient(identity)]);
    const other = collect(decrypted(pieces(file), { identities: [await generateX25519Identity()] }, 'x'));
    await expect(other).rejects.toMatchObject({ code: 'USAGE' });
    const flipped = Buffer.from(file);
    flipped[file.length - 40] = (flipped[file.length - 40] ?? 0) ^ 1;
    for (const bytes of [flipped, file.subarray(0, -100)]) {
      const read = collect(decrypted(pieces(bytes), { identities: [identity] }, 'x'));
      await expect(read).rejects.toMatchObject({ code: 'VERIFY' });
    }
  });

  it('says before anything is fetched what it can’t work with, and shows no secret key', async () => {
    const identity = await generateX25519Identity();
    await expect(encryption({ recipients: [] })).rejects.toMatchObject({ code: 'USAGE' });
    await expect(encryption({ recipients: ['age1nonsense'] })).rejects.toThrow(
      'age1nonsense is no recipient',
    );
    const mistaken = encryption({ recipients: [identity] });
    await expect(mistaken).rejects.toThrow('what was given is no recipient of age');
  });
});
