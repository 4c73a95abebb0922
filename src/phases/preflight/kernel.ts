import { sysctlsFor } from '../../manifests/host-files.js';
import { defineCheck, error, linesOf, type Outcome, ok, pathInName, warning } from './check.js';
import { featuresOf } from './kernel-features.js';

/**
 * What the kernel can do: loaded, loadable or built in. In a container, which shows neither modules nor what is
 * loaded, the kernel's own configuration tells, where it has one.
 */
export const kernelModules = defineCheck({
  id: 'kernel-modules',
  probes: (target) => ({
    states: `PATH=$PATH:/usr/sbin:/sbin
state() {
  if command -v modprobe >/dev/null && [ -d "/lib/modules/$(uname -r)" ]; then
    if modprobe -n -q "$1"; then echo "$1 loadable"; else echo "$1 absent"; fi
  elif [ -r /proc/config.gz ] && command -v gzip >/dev/null; then
    case $(gzip -dc /proc/config.gz | grep "^CONFIG_$2=") in
      *=y) echo "$1 there" ;;
      *=m) echo "$1 unknown" ;;
      *) echo "$1 absent" ;;
    esac
  else echo "$1 unknown"; fi
}
${featuresOf(target)
  .map(
    ({ module, symbol, there }) =>
      `if ${there}; then echo "${module} there"; else state ${module} ${symbol}; fi`,
  )
  .join('\n')}`,
  }),
  judge: (subject) => {
    const states = new Map(linesOf(subject, 'states').map((line) => line.split(' ') as [string, string]));
    return featuresOf(subject).map((feature) => {
      const state = states.get(feature.module) ?? 'unknown';
      if (state === 'there' || state === 'loadable')
        return ok(feature.check, `${feature.module} is ${state === 'there' ? 'there' : 'to be loaded'}`);
      if (state === 'unknown' && !feature.visible)
        return ok(feature.check, `nothing shows that ${feature.module} is missing`);
      const message = `the kernel module ${feature.module} is neither loaded nor loadable: ${feature.why}`;
      const install = `install the modules of the running kernel and kmod, then modprobe ${feature.module}`;
      return error(feature.check, message, feature.instead ?? install);
    });
  },
});

/** `/proc/sys/net/ipv4/ip_forward` of `net.ipv4.ip_forward`. */
const pathOf = (key: string): string => `/proc/sys/${key.replaceAll('.', '/')}`;

/** kubeadm's name and file for each setting; others are named after what they are for. */
function nameOf(key: string): string {
  if (key === 'net.ipv4.ip_forward') return `FileContent-${pathInName(pathOf(key))}`;
  // kubeadm looks at `default`, which follows `all`.
  if (key === 'net.ipv6.conf.all.forwarding')
    return `FileContent-${pathInName(pathOf('net.ipv6.conf.default.forwarding'))}`;
  return key.startsWith('fs.inotify.') ? 'InotifyLimits' : 'BridgeNetfilter';
}

/** Settings that host preparation makes: of interest is only what it could not make. */
export const sysctls = defineCheck({
  id: 'sysctls',
  probes: ({ config }) => ({
    // The shell's own read takes byte after byte, and /proc gives a number only to the first.
    values: `for key in ${Object.keys(sysctlsFor(config)).join(' ')}; do
  path=/proc/sys/$(echo $key | tr . /)
  value=$(cat $path 2>/dev/null) || continue
  if [ -w $path ]; then echo "$key $value w"; else echo "$key $value r"; fi
done`,
  }),
  judge: (subject) => {
    const seen = new Map(
      linesOf(subject, 'values').map((line) => {
        const [key = '', value = '', writable = ''] = line.split(/\s+/);
        return [key, { value, writable: writable === 'w' }];
      }),
    );
    const outcomes = new Map<string, Outcome>();
    for (const [key, wanted] of Object.entries(sysctlsFor(subject.config))) {
      const outcome = sysctlOutcome(key, wanted, seen.get(key));
      const known = outcome === null ? undefined : outcomes.get(outcome.check);
      if (outcome !== null && (known === undefined || known.severity === 'ok'))
        outcomes.set(outcome.check, outcome);
    }
    return [...outcomes.values()];
  },
});

function sysctlOutcome(
  key: string,
  wanted: string,
  seen: { value: string; writable: boolean } | undefined,
): Outcome | null {
  const name = nameOf(key);
  const limit = name === 'InotifyLimits';
  // Without br_netfilter its settings are not there yet; the module's own check speaks of that.
  if (seen === undefined) {
    if (name === 'BridgeNetfilter') return null;
    return error(name, `${pathOf(key)} is not there`, 'use a kernel that has it');
  }
  const right = limit ? Number(seen.value) >= Number(wanted) : seen.value === wanted;
  if (right || seen.writable) return ok(name, `${key} is ${right ? seen.value : `to be set to ${wanted}`}`);
  const message = `${key} is ${seen.value} and can't be set to ${wanted} on the host`;
  const remedy = `set it where the host's kernel is in hand: sysctl -w ${key}=${wanted}`;
  return limit ? warning(name, message, remedy) : error(name, message, remedy);
}
