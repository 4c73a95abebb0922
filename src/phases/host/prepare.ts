import type { Change } from '../../engine/types.js';
import { KERNEL_MODULES, MODULES_FILE, SYSCTL_FILE, sysctlsFor } from '../../manifests/host-files.js';
import { HOST_PACKAGES, PREPARED_HOST } from '../artefacts.js';
import { defineHostPhase } from '../context.js';
import { renderedChanges, SURROUNDINGS, verdictOf } from '../rendered.js';

/** A module that is built in, or whose effect is there already, needs no loading. */
const MODULE_PROBE = `for module in ${KERNEL_MODULES.join(' ')}; do
  [ -d /sys/module/$module ] && continue
  case $module in
    overlay) grep -qw overlay /proc/filesystems && continue ;;
    br_netfilter) [ -e /proc/sys/net/bridge/bridge-nf-call-iptables ] && continue ;;
  esac
  echo $module
done`;

const sysctlProbe = (keys: readonly string[]) => `for key in ${keys.join(' ')}; do
  printf '%s=%s\\n' "$key" "$(cat /proc/sys/$(echo $key | tr . /) 2>/dev/null)"
done`;

/** What a kubelet and kube-proxy set beside: recorded before they do, so that a reset can set it back. */
const SETTINGS_OF_OTHERS = [
  'kernel.panic',
  'kernel.panic_on_oops',
  'kernel.keys.root_maxkeys',
  'kernel.keys.root_maxbytes',
  'vm.overcommit_memory',
  'vm.panic_on_oom',
  'net.ipv4.conf.all.route_localnet',
  'net.netfilter.nf_conntrack_max',
  'net.netfilter.nf_conntrack_tcp_timeout_close_wait',
  'net.netfilter.nf_conntrack_tcp_timeout_established',
];

const APPLY_MODULES = `set -e
for module in "$@"; do modprobe "$module"; done
`;

const APPLY_SYSCTLS = `set -e
for setting in "$@"; do
  printf '%s' "\${setting#*=}" > "/proc/sys/$(echo "\${setting%%=*}" | tr . /)"
done
`;

export const prepareHost = defineHostPhase({
  name: 'host/prepare',
  summary: 'kernel modules and sysctls that Kubernetes needs, now and after a boot',
  target: 'all',
  needs: [HOST_PACKAGES],
  provides: [PREPARED_HOST],
  observe: ({ config }) => ({
    files: [MODULES_FILE, SYSCTL_FILE],
    ...SURROUNDINGS,
    probes: {
      modules: MODULE_PROBE,
      sysctls: sysctlProbe([...Object.keys(sysctlsFor(config)), ...SETTINGS_OF_OTHERS]),
    },
  }),
  plan: (context, host, seen) => {
    const changes: Change[] = renderedChanges(context, host, seen, [MODULES_FILE, SYSCTL_FILE]);
    const unloaded = words(seen.probes.get('modules')?.stdout);
    if (unloaded.length > 0) {
      changes.push({
        kind: 'action',
        name: 'load-modules',
        summary: `load kernel modules ${unloaded.join(', ')}`,
        params: { modules: unloaded.join(' ') },
      });
    }
    const current = new Map(words(seen.probes.get('sysctls')?.stdout).map((line) => split(line)));
    // Limits are floors: a host that allows more is left as it is.
    const wrong = Object.entries(sysctlsFor(context.config)).filter(([key, wanted]) => {
      const value = current.get(key) ?? '';
      return key.startsWith('fs.inotify.') ? Number(value) < Number(wanted) : value !== wanted;
    });
    if (wrong.length > 0) {
      const settings = wrong.map(([key, value]) => `${key}=${value}`).join(' ');
      changes.push({
        kind: 'action',
        name: 'set-sysctls',
        summary: `set sysctl ${settings}`,
        params: { settings, before: [...current].map(([key, value]) => `${key}=${value}`).join(' ') },
      });
    }
    return verdictOf(changes);
  },
  actions: {
    'load-modules': async (_context, host, change) => {
      await host.script({
        name: 'host/load-modules',
        text: APPLY_MODULES,
        args: words(change.params?.modules),
      });
    },
    'set-sysctls': async (_context, host, change) => {
      await host.script({
        name: 'host/set-sysctls',
        text: APPLY_SYSCTLS,
        args: words(change.params?.settings),
      });
    },
  },
});

function words(text: string | undefined): string[] {
  return (text ?? '').split(/\s+/).filter((word) => word !== '');
}

function split(line: string): [string, string] {
  const at = line.indexOf('=');
  return [line.slice(0, at), line.slice(at + 1)];
}
