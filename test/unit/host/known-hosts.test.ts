import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepareHostKeyCheck } from '../../../src/host/host-key.js';
import {
  checkHostKey,
  fingerprint,
  knownHostsName,
  loadKnownHosts,
  parseKnownHosts,
  preferredAlgorithms,
} from '../../../src/host/known-hosts.js';
import type { ConnectEvent } from '../../../src/host/settings.js';
import { noSshTools } from '../../fakes/ssh-tools.js';

let directory: string;
/** `type base64` of fresh public keys, and their blobs. */
const keys: Record<string, { line: string; blob: Buffer; file: string }> = {};

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keelson-known-'));
  if (noSshTools !== null) return;
  for (const [name, type] of [
    ['ed', 'ed25519'],
    ['ed2', 'ed25519'],
    ['ec', 'ecdsa'],
    ['rsa', 'rsa'],
  ] as const) {
    const file = join(directory, name);
    execFileSync('ssh-keygen', ['-q', '-t', type, '-N', '', '-f', file]);
    const [keyType, base64] = (await readFile(`${file}.pub`, 'utf8')).split(' ');
    keys[name] = { line: `${keyType} ${base64}`, blob: Buffer.from(base64 ?? '', 'base64'), file };
  }
});
afterAll(() => rm(directory, { recursive: true }));

const key = (name: string): { line: string; blob: Buffer; file: string } => {
  const found = keys[name];
  if (found === undefined) throw new Error(`no key ${name}`);
  return found;
};
const check = (text: string, host: string, port: number, name: string): string =>
  checkHostKey(parseKnownHosts(text, 'known_hosts'), host, port, key(name).blob);

describe.skipIf(noSshTools !== null)(
  `a known_hosts file${noSshTools === null ? '' : `: ${noSshTools}`}`,
  () => {
    it('knows a host by any of its names, whatever the case', () => {
      const text = `# a comment\n\ncp1,CP1.example.org,10.0.0.1 ${key('ed').line} comment here\r\n`;
      for (const name of ['cp1', 'cp1.example.org', 'CP1', '10.0.0.1'])
        expect(check(text, name, 22, 'ed')).toBe('match');
      expect(check(text, 'cp1', 22, 'ed2')).toBe('mismatch');
      expect(check(text, 'cp2', 22, 'ed')).toBe('unknown');
    });

    it('keeps ports apart', () => {
      const text = `[cp1]:2222 ${key('ed').line}\n`;
      expect(check(text, 'cp1', 2222, 'ed')).toBe('match');
      expect(check(text, 'cp1', 22, 'ed')).toBe('unknown');
      expect(knownHostsName('fe80::1', 2222)).toBe('[fe80::1]:2222');
    });

    it('takes wildcards and lets a negation win', () => {
      const text = `*.example.org,!bad.example.org,10.0.0.? ${key('ed').line}\n`;
      expect(check(text, 'a.b.example.org', 22, 'ed')).toBe('match');
      expect(check(text, '10.0.0.7', 22, 'ed')).toBe('match');
      expect(check(text, '10.0.0.77', 22, 'ed')).toBe('unknown');
      expect(check(text, 'bad.example.org', 22, 'ed')).toBe('unknown');
      expect(check(text, 'xexample.org', 22, 'ed')).toBe('unknown');
    });

    it('refuses a revoked key even where another line has it', () => {
      const text = `cp1 ${key('ed').line}\n@revoked * ${key('ed').line}\n`;
      expect(check(text, 'cp1', 22, 'ed')).toBe('revoked');
      expect(check(text, 'cp1', 22, 'ed2')).toBe('mismatch');
    });

    it('accepts any of several keys of a host', () => {
      const text = `cp1 ${key('ed').line}\ncp1 ${key('rsa').line}\n`;
      expect(check(text, 'cp1', 22, 'ed')).toBe('match');
      expect(check(text, 'cp1', 22, 'rsa')).toBe('match');
    });

    it('does not take a certificate authority for a host key', () => {
      expect(check(`@cert-authority * ${key('ed').line}\n`, 'cp1', 22, 'ed')).toBe('unknown');
    });

    it.each([
      'cp1',
      'cp1 ssh-ed25519',
      'cp1 ssh-ed25519 AAAA',
      '@strange cp1 ssh-ed25519 AAAA',
      '|1|broken ssh-rsa AAAA',
    ])('skips the line %j', (line) => {
      expect(parseKnownHosts(`${line}\n`, 'f').filter((entry) => entry.names === 'cp1')).toEqual([]);
    });

    it('agrees with ssh-keygen on hashed names', async () => {
      const file = join(directory, 'hashed');
      await writeFile(file, `cp1,10.0.0.1 ${key('ed').line}\n[cp2]:2222 ${key('ec').line}\n`);
      execFileSync('ssh-keygen', ['-q', '-H', '-f', file], { stdio: 'ignore' });
      const text = await readFile(file, 'utf8');
      expect(text).not.toContain('cp1');
      expect(check(text, 'cp1', 22, 'ed')).toBe('match');
      expect(check(text, '10.0.0.1', 22, 'ed')).toBe('match');
      expect(check(text, 'cp2', 2222, 'ec')).toBe('match');
      expect(check(text, 'cp2', 22, 'ec')).toBe('unknown');
      for (const name of ['cp1', '[cp2]:2222']) {
        expect(execFileSync('ssh-keygen', ['-F', name, '-f', file]).toString()).toContain('found');
      }
    });

    it('prints fingerprints as ssh-keygen does', () => {
      for (const name of ['ed', 'ec', 'rsa']) {
        const listed = execFileSync('ssh-keygen', ['-l', '-f', `${key(name).file}.pub`]).toString();
        expect(listed.split(' ')[1]).toBe(fingerprint(key(name).blob));
      }
    });

    it('asks first for the key types that it can check', () => {
      const entries = parseKnownHosts(`cp1 ${key('rsa').line}\n`, 'f');
      expect(preferredAlgorithms(entries, 'cp1', 22).slice(0, 3)).toEqual([
        'rsa-sha2-512',
        'rsa-sha2-256',
        'ssh-ed25519',
      ]);
      expect(preferredAlgorithms(entries, 'cp2', 22)[0]).toBe('ssh-ed25519');
    });

    it('reads several files, and none where there is none', async () => {
      const file = join(directory, 'second');
      await writeFile(file, `cp1 ${key('ed').line}\n`);
      const entries = await loadKnownHosts([join(directory, 'missing'), file]);
      expect(entries).toMatchObject([{ file, line: 1, names: 'cp1' }]);
      await expect(loadKnownHosts([directory])).rejects.toMatchObject({ code: 'CONFIG' });
    });
  },
);

describe.skipIf(noSshTools !== null)(
  `the host key check${noSshTools === null ? '' : `: ${noSshTools}`}`,
  () => {
    const policy = (file: string, more: object = {}): Parameters<typeof prepareHostKeyCheck>[0] => ({
      name: 'w1',
      address: 'cp1',
      port: 22,
      knownHostsFiles: [file],
      acceptNew: false,
      ...more,
    });

    it('names both fingerprints, file and line of a changed key', async () => {
      const file = join(directory, 'changed');
      await writeFile(file, `# first\ncp1 ${key('ed').line}\n`);
      const { verify } = await prepareHostKeyCheck(policy(file, { acceptNew: true }));
      const failure = await verify(key('ed2').blob).catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: 'HOST_KEY', host: 'w1' });
      expect(String(failure)).toContain(fingerprint(key('ed').blob));
      expect(String(failure)).toContain(fingerprint(key('ed2').blob));
      expect(String(failure)).toContain(`${file}:2`);
      expect(await readFile(file, 'utf8')).not.toContain(key('ed2').line);
    });

    it('refuses an unknown host and says how to add it', async () => {
      const { verify } = await prepareHostKeyCheck(policy('/none/known_hosts', { port: 2222 }));
      await expect(verify(key('ed').blob)).rejects.toMatchObject({
        code: 'HOST_KEY',
        hint: expect.stringContaining('ssh-keyscan -p 2222 cp1 >> /none/known_hosts'),
      });
    });

    it('refuses a revoked key, also where new ones are accepted', async () => {
      const file = join(directory, 'revoked');
      await writeFile(file, `@revoked * ${key('ed').line}\n`);
      const { verify } = await prepareHostKeyCheck(policy(file, { acceptNew: true }));
      await expect(verify(key('ed').blob)).rejects.toMatchObject({ code: 'HOST_KEY' });
    });

    it('says that a certificate authority is of no use to it', async () => {
      const file = join(directory, 'authority');
      await writeFile(file, `@cert-authority * ${key('ec').line}\n`);
      const { verify } = await prepareHostKeyCheck(policy(file));
      await expect(verify(key('ed').blob)).rejects.toThrow('@cert-authority lines are not supported');
    });

    it('adds a new key where that was asked for, and tells', async () => {
      const file = join(directory, 'new', 'known_hosts');
      const events: ConnectEvent[] = [];
      const { verify } = await prepareHostKeyCheck(
        policy(file, { acceptNew: true, onEvent: (event: ConnectEvent) => events.push(event) }),
      );
      await verify(key('ed').blob);
      expect((await stat(file)).mode & 0o777).toBe(0o600);
      expect(execFileSync('ssh-keygen', ['-F', 'cp1', '-f', file]).toString()).toContain(key('ed').line);
      expect(events).toMatchObject([
        { type: 'host-key-accepted', host: 'w1', fingerprint: fingerprint(key('ed').blob), file },
      ]);
      await (await prepareHostKeyCheck(policy(file))).verify(key('ed').blob);
    });

    it('starts a line of its own after a file without a last line break', async () => {
      const file = join(directory, 'unended');
      await writeFile(file, `other ${key('ec').line}`);
      await (await prepareHostKeyCheck(policy(file, { acceptNew: true }))).verify(key('ed').blob);
      expect(await readFile(file, 'utf8')).toBe(`other ${key('ec').line}\ncp1 ${key('ed').line}\n`);
    });

    it('takes a pinned key and no other, without known_hosts', async () => {
      const pin = fingerprint(key('ed').blob);
      const { verify } = await prepareHostKeyCheck(policy('/none', { pin }));
      await verify(key('ed').blob);
      await expect(verify(key('ed2').blob)).rejects.toMatchObject({
        code: 'HOST_KEY',
        message: expect.stringContaining(pin),
      });
    });
  },
);
