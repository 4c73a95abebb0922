import { type Bundle, bundleFor } from '../bundle/bundle.js';
import { type Architecture, architecturesOf } from '../bundle/lock.js';
import { KeelsonError } from '../errors/keelson-error.js';
import type { PhaseContext } from './context.js';

/** Architectures by what `uname -m` says. */
const MACHINES: Readonly<Record<string, Architecture>> = { x86_64: 'amd64', aarch64: 'arm64' };

/** A host's architecture by what `uname -m` says there; null for one that no bundle can be for. */
export const architectureOf = (machine: string): Architecture | null => MACHINES[machine] ?? null;

type Context = Pick<PhaseContext, 'bundle' | 'facts'>;

/** The bundle as a host has it: of several architectures its own; all of it where it has nothing for the host. */
export function nearestBundle({ bundle, facts }: Context, host: string): Bundle {
  const architecture = architectureOf(facts.get(host)?.architecture ?? '');
  return (architecture === null ? null : bundleFor(bundle, architecture)) ?? bundle;
}

/**
 * The bundle as a host has it, to be installed there. Hosts that nobody has asked yet have the main architecture.
 * @throws BUNDLE where it has nothing for the host's architecture
 */
export function hostBundle(context: Context, host: string): Bundle {
  const { bundle, facts } = context;
  const machine = facts.get(host)?.architecture;
  const own = nearestBundle(context, host);
  if (machine === undefined || architectureOf(machine) === own.lock.architecture) return own;
  throw new KeelsonError(
    'BUNDLE',
    `the host is ${machine}, the bundle is for ${architecturesOf(bundle.lock).join(' and ')}`,
    {
      host,
      hint: 'use a bundle of its architecture too (`keelson bundle pull --arch amd64,arm64`), or another host',
    },
  );
}
