import { DIGEST_PIPE, DIGEST_TOOL } from './digest-script.js';
import { quote, quoteWord } from './quote.js';
import type { ReadRequest } from './types.js';

/** Content is read up to this size, in bytes. */
const MAX_CONTENT_BYTES = 1024 * 1024;
/** Paths given to one find call, well below the kernel's limit on argv. */
const BATCH = 400;
const UNIT_PROPERTIES = 'LoadState,ActiveState,SubState,UnitFileState';

/**
 * The script that answers a whole ReadRequest. Its output is a sequence of records (see records.ts):
 * `m tool` a tool that is missing; `P index code size` a probe; `U size` what systemctl says;
 * `s type mode owner size mtime path` what stands at a path; `d sha256  path` the digest of a large file;
 * `T` a tar archive of the small files, which is last because its size is not known before.
 * One process for all paths, whatever their number.
 */
export function buildReadScript(request: ReadRequest): string {
  const files = [...new Set(request.files ?? [])];
  const all = [...new Set([...files, ...(request.stats ?? [])])];
  const probes = Object.values(request.probes ?? {});
  const units = request.units ?? [];
  const lines = ['LC_ALL=C', 'export LC_ALL'];
  if (all.length > 0)
    lines.push(`for t in find tar sha256sum; do command -v $t >/dev/null || printf 'm %s\\0' $t; done`);
  for (const [index, snippet] of probes.entries()) {
    // A subshell of its own, so that an exit or a syntax error in it ends only itself.
    lines.push(
      `o=$( (eval ${quoteWord(snippet)}) </dev/null; printf 'x%s' "$?")`,
      `c=\${o##*x}; o=\${o%x*}; printf 'P ${index} %s %s\\0%s' "$c" "\${#o}" "$o"`,
    );
  }
  if (units.length > 0) {
    lines.push(
      `if command -v systemctl >/dev/null; then o=$(systemctl show -p ${UNIT_PROPERTIES} -- ${quote(units)} </dev/null)`,
      `printf 'U %s\\0%s' "\${#o}" "$o"; fi`,
    );
  }
  for (const paths of batches(all)) {
    lines.push(
      `find ${quote(paths)} -maxdepth 0 -printf 's %y %m %u:%g %s %T@ %p\\0' 2>/dev/null </dev/null`,
    );
  }
  if (files.length > 0) lines.push(DIGEST_TOOL);
  for (const paths of batches(files)) {
    lines.push(
      `find ${quote(paths)} -maxdepth 0 -type f -size +${MAX_CONTENT_BYTES}c -print0 2>/dev/null </dev/null ${DIGEST_PIPE}`,
    );
  }
  if (files.length > 0) {
    const small = batches(files).map(
      (paths) => `find ${quote(paths)} -maxdepth 0 -type f -size -${MAX_CONTENT_BYTES + 1}c -print0`,
    );
    lines.push(
      `printf 'T\\0'`,
      `{ ${small.join('; ')}; } 2>/dev/null </dev/null | tar --null -T - -cPf - --format=gnu`,
    );
    // 1: a file changed while it was read, 2: one could not be read, which shows as missing content.
    lines.push(`c=$?; [ $c -eq 2 ] || exit $c`);
  }
  lines.push('exit 0', '');
  return lines.join('\n');
}

function batches(paths: readonly string[]): string[][] {
  const result: string[][] = [];
  for (let at = 0; at < paths.length; at += BATCH) result.push(paths.slice(at, at + BATCH));
  return result;
}
