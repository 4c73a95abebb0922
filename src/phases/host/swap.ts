import { fileChange } from '../../engine/files.js';
import type { Change } from '../../engine/types.js';
import type { ReadResult } from '../../host/types.js';
import { PREPARED_HOST } from '../artefacts.js';
import { defineHostPhase } from '../context.js';
import { verdictOf } from '../rendered.js';

const FSTAB = '/etc/fstab';

/** Services that make swap at each boot: Debian's zram-tools, Ubuntu's zram-config, Raspberry Pi OS. */
const SERVICES = ['zramswap.service', 'zram-config.service', 'dphys-swapfile.service'];

/** The kernel's swaps; units that systemd makes at each boot from anything but fstab (zram-generator, GPT). */
const PROBE = `LC_ALL=C
tail -n +2 /proc/swaps | while read -r path rest; do echo "swap $path"; done
systemctl list-units --type=swap --all --plain --no-legend 2>/dev/null | while read -r unit load rest; do
  [ "$load" = loaded ] || continue
  fragment=$(systemctl show -p FragmentPath --value "$unit")
  source=$(systemctl show -p SourcePath --value "$unit")
  case $fragment in /run/systemd/generator*) [ "$source" = ${FSTAB} ] || echo "unit $unit" ;; esac
done
true`;

const OFF = `PATH=$PATH:/usr/sbin:/sbin
swapoff -a
`;

const MASK = `systemctl mask "$@" >&2
`;

/** fstab with its swaps as comments. */
function withoutSwap(fstab: string): string {
  return fstab.replace(/^[ \t]*[^#\s]\S*[ \t]+\S+[ \t]+swap\b.*$/gm, '# Off for Kubernetes: $&');
}

const linesOf = (seen: ReadResult, kind: string) =>
  (seen.probes.get('swap')?.stdout ?? '')
    .split('\n')
    .filter((line) => line.startsWith(`${kind} `))
    .map((line) => line.slice(kind.length + 1).trim());

export const swapOff = defineHostPhase({
  name: 'host/swap',
  summary: 'swap off, now and after a boot',
  target: 'all',
  needs: [],
  provides: [PREPARED_HOST],
  runIf: ({ config }) => config.spec.preparation.swap === 'disable',
  observe: () => ({ files: [FSTAB], units: SERVICES, probes: { swap: PROBE } }),
  plan: (_context, _host, seen) => {
    const changes: Change[] = [];
    const fstab = seen.files.get(FSTAB);
    const text = fstab?.content?.toString('utf8') ?? '';
    if (fstab !== undefined && withoutSwap(text) !== text) {
      const change = fileChange({ path: FSTAB, text: withoutSwap(text), mode: fstab.mode }, seen);
      if (change !== null) changes.push(change);
    }
    for (const unit of SERVICES) {
      const state = seen.units.get(unit);
      const reason = `${unit} makes swap`;
      if (state?.enabled === 'enabled') changes.push({ kind: 'service', op: 'disable', unit, reason });
      if (state?.active === 'active') changes.push({ kind: 'service', op: 'stop', unit, reason });
    }
    const units = linesOf(seen, 'unit');
    if (units.length > 0) {
      const summary = `mask ${units.join(', ')}, which systemd makes at each boot`;
      changes.push({ kind: 'action', name: 'mask', summary, params: { units: units.join(' ') } });
    }
    const swaps = linesOf(seen, 'swap');
    if (swaps.length > 0)
      changes.push({ kind: 'action', name: 'off', summary: `swapoff ${swaps.join(', ')}`, disrupts: true });
    return verdictOf(changes);
  },
  actions: {
    mask: async (_context, host, change) => {
      const args = (change.params?.units ?? '').split(' ').filter((unit) => unit !== '');
      await host.script({ name: 'host/mask-swap', text: MASK, args });
    },
    // Pages come back into memory, which takes its time.
    off: async (context, host) => {
      await host.script({ name: 'host/swap-off', text: OFF }, { timeoutMs: 300_000, signal: context.signal });
    },
  },
});
