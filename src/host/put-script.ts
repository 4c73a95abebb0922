import { posix } from 'node:path';
import { DIGEST_PIPE, DIGEST_TOOL } from './digest-script.js';
import { quote, quoteWord } from './quote.js';
import type { FileSpec } from './types.js';

const DEFAULT_DIR_MODE = 0o755;
/** Bytes that tar reads at a time, as a multiple of 512. */
const TAR_BLOCKS = 2048;

/** One file on its way: sent under `staged`, renamed to `path`. */
export interface StagedFile {
  spec: FileSpec;
  sha256: string;
  size: number;
  staged: string;
}

/** Where a file waits until all have come: a 0700 directory beside its target, on the same file system. */
export function stagingDirectory(path: string, id: string): string {
  return posix.join(posix.dirname(path), `.keelson-${id}`);
}

/**
 * Asks what stands at the targets: `u uid`, `s …` as in a read, `d sha256  path` for small files and for large
 * ones whose size is right, since only then can they be equal.
 */
export function buildCompareScript(
  files: readonly { path: string; size: number }[],
  smallBytes: number,
): string {
  const paths = files.map((file) => file.path);
  const small = files.filter((file) => file.size <= smallBytes).map((file) => file.path);
  const large = files.filter((file) => file.size > smallBytes);
  const digest = `-print0 2>/dev/null </dev/null ${DIGEST_PIPE}`;
  const lines = ['LC_ALL=C', 'export LC_ALL', DIGEST_TOOL, `printf 'u %s\\0' "$(id -u)"`];
  lines.push(`find ${quote(paths)} -maxdepth 0 -printf 's %y %m %u:%g %s %T@ %p\\0' 2>/dev/null </dev/null`);
  if (small.length > 0)
    lines.push(`find ${quote(small)} -maxdepth 0 -type f -size -${smallBytes + 1}c ${digest}`);
  for (const file of large)
    lines.push(`find ${quoteWord(file.path)} -maxdepth 0 -type f -size ${file.size}c ${digest}`);
  return [...lines, 'exit 0', ''].join('\n');
}

/** Constant receiver: takes the plan's exact bytes from stdin, and leaves the rest (a tar archive) to the plan. */
export function receiverArgv(planBytes: number): string[] {
  const script = 'p=$(dd bs=65536 iflag=fullblock,count_bytes count="$1" 2>/dev/null) || exit 1; eval "$p"';
  return ['sh', '-c', script, 'keelson-put', String(planBytes)];
}

/**
 * The plan that the receiver runs: directories, unpack, verify, owner, mode, flush, rename. Whatever fails, the
 * staging directories go.
 * @param durableBytes files up to this size are flushed to disk before they are renamed
 * @param compressed the archive comes as gzip
 */
export function buildPutPlan(
  files: readonly StagedFile[],
  id: string,
  durableBytes: number,
  compressed = false,
): string {
  const targets = [...new Set(files.map((file) => posix.dirname(file.spec.path)))];
  const staging = targets.map((directory) => posix.join(directory, `.keelson-${id}`));
  const lines = [
    'set -e',
    'LC_ALL=C',
    'export LC_ALL',
    `clean() { rm -rf -- ${quote(staging)}; }`,
    'trap clean EXIT',
    "trap 'exit 1' HUP INT TERM PIPE",
  ];
  for (const [mode, group] of grouped(files, (file) => octal(file.spec.dirMode ?? DEFAULT_DIR_MODE))) {
    const directories = [...new Set(group.map((file) => posix.dirname(file.spec.path)))];
    const mask = octal(0o777 & ~Number.parseInt(mode, 8));
    lines.push(`(umask ${mask}; mkdir -p -- ${quote(directories)})`);
  }
  lines.push(
    'umask 077',
    `mkdir -- ${quote(staging)}`,
    // Of names longer than 100 bytes a header keeps no leading slash.
    `${compressed ? 'gzip -dc | ' : ''}tar -x -P -C / -f - -b ${TAR_BLOCKS} --no-same-owner --touch`,
    DIGEST_TOOL,
    // The quick comparison of all digests at once; where it fails, sha256sum says which file is wrong.
    `[ "$(printf '%s\\0' ${quote(files.map((file) => file.staged))} ${DIGEST_PIPE} | tr '\\0' '\\n' | cut -c3-66)" = ${quoteWord(files.map((file) => file.sha256).join('\n'))} ] ||`,
    `sha256sum --check --strict --quiet <<'KEELSON-SUMS' >&2`,
    ...files.map((file) => checkLine(file)),
    'KEELSON-SUMS',
  );
  const owned = files.filter((file) => file.spec.owner !== undefined);
  for (const [owner, group] of grouped(owned, (file) => file.spec.owner ?? '')) {
    lines.push(`chown -- ${quoteWord(owner)} ${quote(group.map((file) => file.staged))}`);
  }
  for (const [mode, group] of grouped(files, (file) => octal(file.spec.mode))) {
    lines.push(`chmod -- ${mode} ${quote(group.map((file) => file.staged))}`);
  }
  // Large blobs are not waited for: a digest that is wrong after a power loss is found and sent again.
  const durable = files.filter((file) => file.size <= durableBytes);
  if (durable.length > 0) lines.push(`sync -- ${quote(durable.map((file) => file.staged))}`);
  for (const [directory, group] of grouped(files, (file) => posix.dirname(file.spec.path))) {
    lines.push(`mv -f -t ${quoteWord(directory)} -- ${quote(group.map((file) => file.staged))}`);
  }
  lines.push(`sync -- ${quote(targets)}`, '');
  return lines.join('\n');
}

/** A line for sha256sum --check, which escapes backslashes in names. */
function checkLine(file: StagedFile): string {
  if (!file.staged.includes('\\')) return `${file.sha256}  ${file.staged}`;
  return `\\${file.sha256}  ${file.staged.replaceAll('\\', '\\\\')}`;
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

function grouped<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return groups;
}
