import { hostPackagesFor } from '../../bundle/bundle.js';
import { STATE_DIR } from '../../engine/journal.js';
import { runPackageManager } from '../../engine/packages.js';
import type { ActionChange, FileChange } from '../../engine/types.js';
import { HOST_PACKAGES } from '../artefacts.js';
import { defineHostPhase, type PhaseContext } from '../context.js';
import { hostBundle } from '../host-bundle.js';
import {
  hostTools,
  installCommand,
  MANAGER_PROBE,
  MISSING_TOOLS_PROBE,
  managerOf,
  missingTools,
} from '../host-tools.js';
import { verdictOf } from '../rendered.js';

/** Milliseconds for package lists, downloads and installation. */
const TIMEOUT_MS = 900_000;

/** Where packages of the bundle lie until they are installed. */
const PACKAGES_DIR = `${STATE_DIR}/packages`;

/**
 * Makes a repository of the packages there, and has apt install from that alone: it takes what is missing, with what
 * that depends on. Its lists and caches are its own, so that nothing of the host's is touched.
 */
const INSTALL_CARRIED = `set -eu
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
d=${PACKAGES_DIR}
trap 'rm -rf "$d"' EXIT
trap 'exit 1' HUP INT TERM PIPE
cd "$d"
for deb in *.deb; do
  dpkg-deb -f "$deb"
  printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$deb" "$(stat -c %s "$deb")" "$(sha256sum "$deb" | cut -c1-64)"
done > Packages
echo "deb [trusted=yes] file:$d ./" > sources.list
mkdir -p lists/partial archives/partial
apt() {
  apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dir::Etc::sourcelist="$d/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::State::lists="$d/lists" -o Dir::Cache="$d" -o Acquire::Languages=none -o APT::Sandbox::User=root "$@" >&2
}
apt update
apt install --no-install-recommends "$@"
`;

/** Packages of the bundle that the host can install, as files on it. */
function carried(context: PhaseContext, host: string): FileChange[] {
  const facts = context.facts.get(host);
  if (facts === undefined) return [];
  return hostPackagesFor(hostBundle(context, host), facts.os).map(
    ({ name, version, sha256, size }): FileChange => ({
      kind: 'file',
      op: 'create',
      path: `${PACKAGES_DIR}/${name}.deb`,
      mode: 0o644,
      content: { kind: 'blob', sha256, size },
      reason: `package ${name} ${version} of the bundle`,
    }),
  );
}

export const hostPackages = defineHostPhase({
  name: 'host/packages',
  summary: 'packages with the programs that nodes need',
  target: 'all',
  needs: [],
  provides: [HOST_PACKAGES],
  runIf: ({ config }) => config.spec.preparation.packages === 'install',
  observe: () => ({ probes: { missing: MISSING_TOOLS_PROBE, manager: MANAGER_PROBE } }),
  plan: (context, host, seen) => {
    const { config } = context;
    const missing = missingTools(
      hostTools(config.cluster.kubernetesVersion),
      seen.probes.get('missing')?.stdout ?? '',
    );
    if (missing.length === 0) return verdictOf([]);
    const manager = managerOf(seen.probes.get('manager')?.stdout ?? '');
    const commands = missing.map(({ command }) => command).join(', ');
    if (manager === null) {
      // Preflight has said whether they are needed.
      const needed = missing.some(({ severity }) => severity === 'error');
      if (!needed) return verdictOf([]);
      const reason = `${commands} are missing and neither apt-get nor dnf nor zypper is there: install them`;
      return { standing: 'blocked', reasons: [reason], changes: [] };
    }
    const packages = [...new Set(missing.map((entry) => entry.packages[manager]))].sort();
    const files = manager === 'apt' ? carried(context, host) : [];
    const names = new Set(files.map(({ path }) => path));
    if (packages.every((name) => names.has(`${PACKAGES_DIR}/${name}.deb`))) {
      const install: ActionChange = {
        kind: 'action',
        name: 'install-carried',
        summary: `install ${packages.join(' ')} from the bundle (for ${commands})`,
        params: { packages: packages.join(' ') },
      };
      return verdictOf([...files, install]);
    }
    const change: ActionChange = {
      kind: 'action',
      name: 'install',
      summary: `${installCommand(manager, packages)} (for ${commands})`,
      params: { manager, packages: packages.join(' ') },
    };
    return verdictOf([change]);
  },
  actions: {
    'install-carried': async (context, host, change) => {
      const args = (change.params?.packages ?? '').split(' ');
      await host.script(
        { name: 'host/install-carried-packages', text: INSTALL_CARRIED, args },
        { timeoutMs: TIMEOUT_MS, signal: context.signal },
      );
    },
    install: async (context, host, change) => {
      const names = (change.params?.packages ?? '').split(' ');
      await runPackageManager(host, 'install-tools', names, context.signal);
    },
  },
});
