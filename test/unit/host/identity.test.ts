import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isEncrypted, loadIdentity, readKeyFile } from '../../../src/host/identity.js';
import { noSshTools } from '../../fakes/ssh-tools.js';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keelson-identity-'));
});
afterAll(() => rm(directory, { recursive: true }));

function keygen(name: string, ...options: string[]): string {
  const file = join(directory, name);
  execFileSync('ssh-keygen', ['-q', '-f', file, '-N', '', ...options]);
  return file;
}

async function pkcs8(name: string, type: 'rsa' | 'ec' | 'ed25519', passphrase?: string): Promise<string> {
  const file = join(directory, name);
  const pair =
    type === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : type === 'ec'
        ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
        : generateKeyPairSync('ed25519');
  const pem = pair.privateKey.export({
    type: 'pkcs8',
    format: 'pem',
    ...(passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase }),
  });
  await writeFile(file, pem, { mode: 0o600 });
  return file;
}

/** The public key that ssh-keygen finds in a private key file, which it reads with OpenSSH's own parser. */
function publicKey(file: string, passphrase = ''): string {
  return (
    execFileSync('ssh-keygen', ['-y', '-P', passphrase, '-f', file]).toString().split(' ')[1]?.trim() ?? ''
  );
}

describe.skipIf(noSshTools !== null)(`a private key${noSshTools === null ? '' : `: ${noSshTools}`}`, () => {
  it.each([
    ['OpenSSH ed25519', ['-t', 'ed25519']],
    ['OpenSSH RSA', ['-t', 'rsa', '-b', '2048']],
    ['OpenSSH ECDSA', ['-t', 'ecdsa', '-b', '384']],
    ['PEM RSA', ['-t', 'rsa', '-b', '2048', '-m', 'PEM']],
    ['PEM ECDSA', ['-t', 'ecdsa', '-m', 'PEM']],
    ['PKCS#8 RSA', ['-t', 'rsa', '-b', '2048', '-m', 'PKCS8']],
  ])('in %s format is loaded', async (name, options) => {
    const file = keygen(name.replaceAll(/\W/g, '-'), ...options);
    const { key } = await loadIdentity(file);
    expect(key.isPrivateKey()).toBe(true);
    expect(key.getPublicSSH().toString('base64')).toBe(publicKey(file));
    const signature = key.sign(Buffer.from('data'));
    expect(key.verify(Buffer.from('data'), signature)).toBe(true);
  });

  it.each(['rsa', 'ec', 'ed25519'] as const)('in PKCS#8 of type %s is converted', async (type) => {
    const file = await pkcs8(`p8-${type}`, type);
    const { key } = await loadIdentity(file);
    const signature = key.sign(Buffer.from('data'));
    expect(key.verify(Buffer.from('data'), signature)).toBe(true);
    // ssh-keygen of OpenSSH 9.2 reads no ed25519 in PKCS#8.
    if (type !== 'ed25519') expect(key.getPublicSSH().toString('base64')).toBe(publicKey(file));
  });

  it.each([
    ['OpenSSH', ['-t', 'ed25519', '-a', '1', '-N', 'correct horse']],
    ['PEM', ['-t', 'rsa', '-b', '2048', '-m', 'PEM', '-N', 'correct horse']],
  ])('that is encrypted (%s) asks for its passphrase', async (name, options) => {
    const file = join(directory, `enc-${name}`);
    execFileSync('ssh-keygen', ['-q', '-f', file, ...options]);
    const asked: string[] = [];
    const { key } = await loadIdentity(file, async (which) => {
      asked.push(which);
      return 'correct horse';
    });
    expect(asked).toEqual([file]);
    expect(key.getPublicSSH().toString('base64')).toBe(publicKey(file, 'correct horse'));
    await expect(loadIdentity(file, async () => 'wrong')).rejects.toMatchObject({
      code: 'AUTHENTICATION',
      message: `wrong passphrase for ${file}`,
    });
    await expect(loadIdentity(file)).rejects.toMatchObject({ code: 'AUTHENTICATION' });
  });

  it.each(['rsa', 'ed25519'] as const)(
    'in encrypted PKCS#8 of type %s asks for its passphrase',
    async (type) => {
      const file = await pkcs8(`p8-enc-${type}`, type, 'secret');
      expect(isEncrypted(await readKeyFile(file))).toBe(true);
      expect((await loadIdentity(file, async () => 'secret')).key.isPrivateKey()).toBe(true);
      await expect(loadIdentity(file, async () => 'other')).rejects.toMatchObject({ code: 'AUTHENTICATION' });
    },
  );

  it('that others may read is refused, as ssh does', async () => {
    const file = keygen('open', '-t', 'ed25519');
    await chmod(file, 0o644);
    await expect(loadIdentity(file)).rejects.toMatchObject({
      code: 'CONFIG',
      hint: `run \`chmod 600 ${file}\``,
    });
  });

  it('that is missing, public or no key at all is a configuration error', async () => {
    await expect(loadIdentity(join(directory, 'none'))).rejects.toMatchObject({ code: 'CONFIG' });
    const file = keygen('pair', '-t', 'ed25519');
    await chmod(`${file}.pub`, 0o600);
    await expect(loadIdentity(`${file}.pub`)).rejects.toMatchObject({ code: 'CONFIG' });
    await writeFile(join(directory, 'text'), 'hello\n', { mode: 0o600 });
    await expect(loadIdentity(join(directory, 'text'))).rejects.toMatchObject({ code: 'CONFIG' });
  });
});
