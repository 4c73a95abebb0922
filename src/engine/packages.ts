import type { Host } from '../host/types.js';
import type { PackageChange } from './types.js';

/** Milliseconds for package lists, downloads and installation. */
const TIMEOUT_MS = 900_000;

/**
 * Packages by apt, dnf or zypper, whichever the host has. Another run of the package manager is waited for. A
 * distribution may start a package's own service at once; the units that come with a new package are stopped
 * and disabled, since keelson runs units of its own.
 */
const SCRIPT = `set -eu
op=$1; shift
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
if command -v apt-get >/dev/null; then
  apt() { apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold "$@" >&2; }
  if [ "$op" = remove ]; then apt purge "$@"
  elif ! apt install --no-install-recommends "$@"; then
    # Package lists may be missing or of yesterday.
    apt update
    apt install --no-install-recommends "$@"
  fi
elif command -v dnf >/dev/null; then dnf -q -y "$op" "$@" >&2
elif command -v zypper >/dev/null; then zypper --quiet --non-interactive "$op" "$@" >&2
else echo "neither apt-get nor dnf nor zypper is there to $op $*" >&2; exit 1; fi
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
    const script = { name: `packages/${op}`, text: SCRIPT, args: [op, ...names] };
    await host.script(script, { timeoutMs: TIMEOUT_MS });
  }
}
