import { createHash, createHmac } from 'node:crypto';
import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { KeelsonError } from '../errors/keelson-error.js';

/** One line of a known_hosts file. */
export interface KnownHost {
  marker: 'revoked' | 'cert-authority' | null;
  /** The first field: names, patterns or one hashed name. */
  names: string;
  keyType: string;
  key: Buffer;
  file: string;
  /** 1-based. */
  line: number;
}

export type HostKeyVerdict = 'match' | 'mismatch' | 'revoked' | 'unknown';

/** Lines of a known_hosts file; comments and lines that are no entry are skipped, as OpenSSH does. */
export function parseKnownHosts(text: string, file: string): KnownHost[] {
  const entries: KnownHost[] = [];
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const fields = line.split(/[ \t]+/);
    const marker = fields[0]?.startsWith('@') ? fields.shift()?.slice(1) : undefined;
    const [names, keyType, base64] = fields;
    if (names === undefined || keyType === undefined || base64 === undefined) continue;
    if (marker !== undefined && marker !== 'revoked' && marker !== 'cert-authority') continue;
    const key = Buffer.from(base64, 'base64');
    if (hostKeyType(key) !== keyType) continue;
    entries.push({ marker: marker ?? null, names, keyType, key, file, line: index + 1 });
  }
  return entries;
}

/** Entries of several files in order; a missing file has none. Errors: CONFIG for an unreadable file. */
export async function loadKnownHosts(files: readonly string[]): Promise<KnownHost[]> {
  const loaded = await Promise.all(
    files.map(async (file) => {
      try {
        return parseKnownHosts(await readFile(file, 'utf8'), file);
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
        throw new KeelsonError('CONFIG', `cannot read the known_hosts file ${file}`, {
          cause: error,
          hint: 'check the path and its permissions (ssh.knownHostsFile)',
        });
      }
    }),
  );
  return loaded.flat();
}

/** The name under which known_hosts files a host: `host` for port 22, else `[host]:port`; lower case. */
export function knownHostsName(host: string, port: number): string {
  const name = host.toLowerCase();
  return port === 22 ? name : `[${name}]:${port}`;
}

/** Entries that speak of this host, of any marker. */
export function entriesOf(entries: readonly KnownHost[], host: string, port: number): KnownHost[] {
  const name = knownHostsName(host, port);
  return entries.filter((entry) => namesMatch(entry.names, name));
}

/**
 * What known_hosts says of the key that a host showed. A revoked key is refused even where another line has it.
 * @param key the host key blob, as SSH sends it
 */
export function checkHostKey(
  entries: readonly KnownHost[],
  host: string,
  port: number,
  key: Buffer,
): HostKeyVerdict {
  const about = entriesOf(entries, host, port);
  if (about.some((entry) => entry.marker === 'revoked' && entry.key.equals(key))) return 'revoked';
  const plain = about.filter((entry) => entry.marker === null);
  if (plain.some((entry) => entry.key.equals(key))) return 'match';
  return plain.length > 0 ? 'mismatch' : 'unknown';
}

const ALGORITHMS = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
] as const;

export type HostKeyAlgorithm = (typeof ALGORITHMS)[number];

/** Host key algorithms to offer: those of known keys first, so that the server shows a key that can be checked. */
export function preferredAlgorithms(
  entries: readonly KnownHost[],
  host: string,
  port: number,
): HostKeyAlgorithm[] {
  const types = new Set(
    entriesOf(entries, host, port)
      .filter((entry) => entry.marker === null)
      .map((entry) => entry.keyType),
  );
  const known = ALGORITHMS.filter((name) => types.has(name.startsWith('rsa-') ? 'ssh-rsa' : name));
  return [...known, ...ALGORITHMS.filter((name) => !known.includes(name))];
}

/** `SHA256:…` of a key blob, as `ssh-keygen -l` prints it. */
export function fingerprint(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** Key type named inside a key blob; '' where it is none. */
export function hostKeyType(key: Buffer): string {
  if (key.length < 4) return '';
  const length = key.readUInt32BE(0);
  return length + 4 <= key.length ? key.toString('latin1', 4, 4 + length) : '';
}

/**
 * Appends a host's key in one write (0600 file, 0700 directory where they have to be made).
 * @returns the line added
 */
export async function addKnownHost(file: string, host: string, port: number, key: Buffer): Promise<string> {
  const line = `${knownHostsName(host, port)} ${hostKeyType(key)} ${key.toString('base64')}`;
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    const existing = await readFile(file, 'utf8').catch(() => '');
    const separator = existing === '' || existing.endsWith('\n') ? '' : '\n';
    await appendFile(file, `${separator}${line}\n`, { mode: 0o600 });
  } catch (error) {
    throw new KeelsonError('CONFIG', `cannot add a host key to ${file}`, { cause: error });
  }
  return line;
}

function namesMatch(names: string, name: string): boolean {
  if (names.startsWith('|')) return hashMatches(names, name);
  let matched = false;
  for (const pattern of names.split(',')) {
    const negated = pattern.startsWith('!');
    if (!globMatches(negated ? pattern.slice(1) : pattern, name)) continue;
    if (negated) return false;
    matched = true;
  }
  return matched;
}

function hashMatches(field: string, name: string): boolean {
  const [, version, salt, hash] = field.split('|');
  if (version !== '1' || salt === undefined || hash === undefined) return false;
  return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64') === hash;
}

/** `*` and `?` only, as OpenSSH's match_pattern. */
function globMatches(pattern: string, name: string): boolean {
  const source = pattern
    .toLowerCase()
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*+/g, '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 's').test(name);
}
