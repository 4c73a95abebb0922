import { quoteWord } from '../../host/quote.js';
import type { FileState, HostReader, ReadResult } from '../../host/types.js';
import type { FoundFile } from '../../pki/survey/types.js';

/** What to look for on a host. Directories are searched for what looks like certificates and keys. */
export interface Places {
  directories: readonly string[];
  /** Looked at by name whatever they are called. */
  files: readonly string[];
}

/** A certificate file is not larger, in KiB. */
const MAX_KIB = 256;
const MARK = '\u0001';

/**
 * POSIX sh that prints every file, each behind a line with a mark, its mode and its path. Links are followed. Of
 * the certificates that a kubelet had before, which it keeps with their date, nothing is said.
 */
export function findScript({ directories, files }: Places): string {
  const words = (paths: readonly string[]) => paths.map(quoteWord).join(' ');
  const print = `-printf '\\001%m %p\\n' -exec cat -- {} \\; -printf '\\n'`;
  const size = `-type f -size -${MAX_KIB + 1}k`;
  const names = ['crt', 'pem', 'cer', 'key', 'pub'].map((end) => `-name '*.${end}'`).join(' -o ');
  const old = `! -name 'kubelet-*-[0-9][0-9][0-9][0-9]-[0-9][0-9]-*.pem'`;
  return [
    `find -L ${words(directories)} -maxdepth 3 ${size} \\( ${names} \\) ${old} ${print} 2>/dev/null`,
    `find -L ${words(files)} -maxdepth 0 ${size} ${print} 2>/dev/null`,
    `find -L /etc/kubernetes -maxdepth 1 ${size} -name '*.conf' ${print} 2>/dev/null`,
    'true',
  ].join('\n');
}

/** The files that the script printed, by path. */
export function parseFound(output: string): Map<string, FoundFile> {
  const found = new Map<string, FoundFile>();
  for (const section of output.split(MARK).slice(1)) {
    const [, mode, path, content] = /^([0-7]+) ([^\n]+)\n([\s\S]*)$/.exec(section) ?? [];
    if (mode === undefined || path === undefined || content === undefined) continue;
    // The line break behind each file is the script's.
    const bytes = Buffer.from(content.replace(/\n$/, ''));
    found.set(path, { path, mode: Number.parseInt(mode, 8), content: bytes });
  }
  return found;
}

/** Every certificate file of a host, in one round trip. */
export async function readCertificateFiles(
  host: HostReader,
  places: Places,
  signal: AbortSignal,
): Promise<Map<string, FoundFile>> {
  const seen = await host.read({ probes: { 'certificate-files': findScript(places) } }, { signal });
  return parseFound(seen.probes.get('certificate-files')?.stdout ?? '');
}

/** The same as the trust store takes it. */
export function asReadResult(files: ReadonlyMap<string, FoundFile>): ReadResult {
  const states = [...files.values()].map(({ path, mode, content }): [string, FileState] => [
    path,
    { path, type: 'file', mode, owner: '', size: content.length, mtime: '', content },
  ]);
  return { files: new Map(states), units: new Map(), probes: new Map() };
}
