import type { ActionChange } from '../../engine/types.js';
import { HOST_PACKAGES } from '../artefacts.js';
import { defineHostPhase } from '../context.js';
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

/** $1 is the manager. Lists may be missing or old, so apt tries again with new ones; others are waited for. */
const INSTALL = `set -eu
manager=$1; shift
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
apt() { apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" >&2; }
case $manager in
  apt) apt install --no-install-recommends "$@" || { apt update; apt install --no-install-recommends "$@"; } ;;
  dnf) dnf -q -y install "$@" >&2 ;;
  zypper) zypper --quiet --non-interactive install --no-recommends "$@" >&2 ;;
esac
`;

export const hostPackages = defineHostPhase({
  name: 'host/packages',
  summary: 'packages with the programs that nodes need',
  target: 'all',
  needs: [],
  provides: [HOST_PACKAGES],
  runIf: ({ config }) => config.spec.preparation.packages === 'install',
  observe: () => ({ probes: { missing: MISSING_TOOLS_PROBE, manager: MANAGER_PROBE } }),
  plan: ({ config }, _host, seen) => {
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
    const change: ActionChange = {
      kind: 'action',
      name: 'install',
      summary: `${installCommand(manager, packages)} (for ${commands})`,
      params: { manager, packages: packages.join(' ') },
    };
    return verdictOf([change]);
  },
  actions: {
    install: async (context, host, change) => {
      const args = [change.params?.manager ?? '', ...(change.params?.packages ?? '').split(' ')];
      await host.script(
        { name: 'host/install-packages', text: INSTALL, args },
        { timeoutMs: TIMEOUT_MS, signal: context.signal },
      );
    },
  },
});
