import type { Host } from '../host/types.js';
import type { PackageChange } from './types.js';

/** Milliseconds for package lists, downloads and installation. */
const TIMEOUT_MS = 900_000;

/**
 * Packages by apt, dnf or zypper, whichever the host has. Another run of the package manager is waited for. A
 * distribution may start a package's own service at once: `install` stops and disables the units that come with a new
 * package, since keelson runs units of its own; `install-tools` leaves them.
 */
const SCRIPT = `set -eu
op=$1 verb=\${1%-tools}; shift
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
if command -v apt-get >/dev/null; then
  apt() { apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold "$@" >&2; }
  if [ "$verb" = remove ]; then apt purge "$@"
  elif ! apt install --no-install-recommends "$@"; then
    # Package lists may be missing or of yesterday.
    apt update
    apt install --no-install-recommends "$@"
  fi
elif command -v dnf >/dev/null; then dnf -q -y "$verb" "$@" >&2
elif command -v zypper >/dev/null; then
  [ "$verb" = remove ] || set -- --no-recommends "$@"
  zypper --quiet --non-interactive "$verb" "$@" >&2
else echo "neither apt-get nor dnf nor zypper is there to $verb $*" >&2; exit 1; fi
[ "$op" = install ] || exit 0
for package in "$@"; do
  systemctl disable --now "$package.service" >&2 || true
  systemctl reset-failed "$package.service" 2>/dev/null || true
done
`;

/** Installs or removes; `changes` are of one kind of operation. Throws REMOTE_COMMAND with what the manager said. */
export async function changePackages(host: Host, changes: readonly PackageChange[]): Promise<void> {
  for (const op of ['install', 'remove'] as const) {
    const names = changes.filter((change) => change.op === op).map((change) => change.name);
    if (names.length === 0) continue;
    await runPackageManager(host, op, names);
  }
}

/** Runs the package manager that the host has. @throws REMOTE_COMMAND with what it said */
export async function runPackageManager(
  host: Host,
  op: PackageChange['op'] | 'install-tools',
  names: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  const script = { name: `packages/${op}`, text: SCRIPT, args: [op, ...names] };
  await host.script(script, { timeoutMs: TIMEOUT_MS, ...(signal === undefined ? {} : { signal }) });
}
