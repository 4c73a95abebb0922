import type { Host } from '../host/types.js';
import { STATE_DIR } from './journal.js';

/**
 * `sha256|path|size|mtime|ctime|inode` of each large file that keelson put on the host. As long as a file's
 * size, times and inode are those of its line, its digest is known without reading it.
 */
const DIGESTS_PATH = `${STATE_DIR}/digests`;

const STAT_FORMAT = '%n|%s|%y|%z|%i';

/** Arguments: digest and path in turn. Rewrites the lines of these paths. */
const RECORD = `set -e
umask 077
mkdir -p ${STATE_DIR}
new=$(mktemp ${STATE_DIR}/digests.XXXXXX)
[ -e ${DIGESTS_PATH} ] && cp ${DIGESTS_PATH} "$new"
while [ $# -gt 1 ]; do
  grep -vF "|$2|" "$new" > "$new.kept" || true
  mv "$new.kept" "$new"
  printf '%s|%s\\n' "$1" "$(stat -c '${STAT_FORMAT}' -- "$2")" >> "$new"
  shift 2
done
mv "$new" ${DIGESTS_PATH}
`;

/** Remembers the digests of files that were just put and verified. */
export async function recordDigests(
  host: Host,
  files: readonly { path: string; sha256: string }[],
): Promise<void> {
  const args = files.flatMap((file) => [file.sha256, file.path]);
  // Two phases of one host may end at the same time; the lock keeps either from losing the other's lines.
  await host.exec(['flock', STATE_DIR, 'sh', '-c', RECORD, 'sh', ...args]);
}

/** POSIX sh that prints `sha256  path` of each existing file; unchanged ones are not read. */
export function digestScript(paths: readonly string[]): string {
  return `stat -c '${STAT_FORMAT}' -- ${paths.join(' ')} 2>/dev/null | while IFS= read -r line; do
  known=$(grep -F -m1 "|$line" ${DIGESTS_PATH} 2>/dev/null)
  if [ -n "$known" ]; then echo "\${known%%|*}  \${line%%|*}"; else sha256sum "\${line%%|*}"; fi
done`;
}
