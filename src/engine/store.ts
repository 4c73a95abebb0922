import type { Host } from '../host/types.js';
import { STATE_DIR } from './journal.js';

/**
 * Large files by their digest: those that wait on a host for their turn, and those that a rollback brings back.
 * A file in use shares its disk space with its place here.
 */
export const STORE_DIR = `${STATE_DIR}/blobs`;

/** What other hosts have passed on, by digest, until it is taken to its place. */
export const DELIVERED_DIR = `${STATE_DIR}/delivered`;

/** Where the store has a file of this digest (sha256, hexadecimal). */
export const storedPath = (sha256: string): string => `${STORE_DIR}/${sha256}`;

/** Arguments: digest, mode and path in turn. What the store does not have is left to the caller. */
const TAKE = `set -e
[ -d ${STORE_DIR} ] || [ -d ${DELIVERED_DIR} ] || exit 0
umask 077
while [ $# -gt 2 ]; do
  came=${DELIVERED_DIR}/$1
  from=$came
  [ -f "$from" ] || from=${STORE_DIR}/$1
  if [ -f "$from" ] && [ "$from" != "$3" ] && ! [ "$from" -ef "$3" ]; then
    case "$3" in ${STORE_DIR}/*) mkdir -p ${STORE_DIR} ;; *) mkdir -p -m 0755 "$(dirname "$3")" ;; esac
    new="$(dirname "$3")/.keelson-$1"
    ln -f "$from" "$new" 2>/dev/null || cp -f "$from" "$new"
    chown root:root "$new"
    chmod "$2" "$new"
    mv -fT "$new" "$3"
    rm -f "$came"
  fi
  shift 3
done
`;

/** Puts files in place that the host has in its store. They are not compared: whoever puts files does that. */
export async function takeStored(
  host: Host,
  files: readonly { path: string; sha256: string; mode: number }[],
): Promise<void> {
  const args = files.flatMap(({ sha256, mode, path }) => [sha256, mode.toString(8), path]);
  await host.script({ name: 'store/take', text: TAKE, args });
}

/** Arguments: digest and path in turn. */
const KEEP = `set -e
umask 077
mkdir -p ${STORE_DIR}
while [ $# -gt 1 ]; do
  to=${STORE_DIR}/$1
  if [ -f "$2" ] && ! [ -f "$to" ]; then ln -f "$2" "$to" 2>/dev/null || { cp -fp "$2" "$to.new" && mv -f "$to.new" "$to"; }; fi
  shift 2
done
`;

/** Keeps files that are about to be replaced. */
export async function keepStored(
  host: Host,
  files: readonly { path: string; sha256: string }[],
): Promise<void> {
  if (files.length === 0) return;
  const args = files.flatMap(({ sha256, path }) => [sha256, path]);
  await host.script({ name: 'store/keep', text: KEEP, args });
}

/** Arguments: digests that stay. */
const PRUNE = `[ -d ${STORE_DIR} ] || exit 0
for file in ${STORE_DIR}/*; do
  keep=
  for digest in "$@"; do [ "\${file##*/}" = "$digest" ] && keep=yes; done
  [ -n "$keep" ] || rm -f "$file"
done
exit 0
`;

/** Removes what is of no use any more. */
export async function pruneStore(host: Host, digests: readonly string[]): Promise<void> {
  await host.script({ name: 'store/prune', text: PRUNE, args: digests });
}
