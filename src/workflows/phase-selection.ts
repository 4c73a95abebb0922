import { presentHosts } from '../config/inventory.js';
import { didYouMean, nearest } from '../config/suggest.js';
import type { ClusterConfig } from '../config/types.js';
import { type Phase, targetsOf } from '../engine/phase.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { API, ETCD, ETCD_MEMBER, NODES } from '../phases/artefacts.js';
import type { KeelsonPhase, PhaseContext } from '../phases/context.js';
import { APPLY_PHASES } from '../phases/phases.js';

/** Reads only and provides nothing; every apply begins with it. */
export const PREFLIGHT = {
  name: 'preflight',
  target: 'all',
  needs: [],
  provides: [],
  summary: 'what would stand in the way, on all hosts at once',
} as const;

export interface PhaseRow {
  name: string;
  target: string;
  needs: readonly string[];
  provides: readonly string[];
  summary: string;
}

/** All phases of an apply in their order, with the names of the artefacts that they need and provide. */
export function listPhases(phases: readonly KeelsonPhase[] = APPLY_PHASES): PhaseRow[] {
  return [PREFLIGHT, ...phases].map(({ name, target, needs, provides, summary }) => ({
    name,
    target,
    needs: needs.map((artefact) => artefact.name),
    provides: provides.map((artefact) => artefact.name),
    summary,
  }));
}

/**
 * The phase of that name, or all phases of a group: `certs/apiserver`, `certs`.
 * @throws USAGE with the nearest name
 */
export function phasesNamed(name: string, phases: readonly KeelsonPhase[] = APPLY_PHASES): KeelsonPhase[] {
  const group = name.replace(/\/(all)?$/, '');
  const found = phases.filter((phase) => phase.name === group || phase.name.startsWith(`${group}/`));
  if (found.length > 0) return found;
  const groups = phases.flatMap((phase) =>
    phase.name.includes('/') ? [phase.name.split('/')[0] ?? ''] : [],
  );
  const known = [...new Set([...phases.map((phase) => phase.name), ...groups])];
  throw new KeelsonError('USAGE', `there is no phase ${name}${didYouMean(nearest(name, known))}`, {
    hint: 'keelson phase list names all of them',
  });
}

/**
 * Makes sure that at least one of the phases has something to do on one of the hosts, as far as the file tells.
 * @param hosts undefined for all
 * @throws USAGE
 */
export function refuseNoTarget(
  phases: readonly KeelsonPhase[],
  config: ClusterConfig,
  hosts: readonly string[] | undefined,
): void {
  if (hosts === undefined) return;
  const inventory = presentHosts(config).map(({ name, role }) => ({ name, role }));
  // Which control plane is the first one shows only there.
  const isFor = ({ target }: KeelsonPhase) =>
    target === 'cluster' ||
    targetsOf(
      {
        target:
          target.endsWith('-control-plane') || target.startsWith('joining-') ? 'control-planes' : target,
      },
      { inventory },
    ).some((name) => hosts.includes(name));
  if (phases.some(isFor)) return;
  const names = phases.map(({ name }) => name).join(', ');
  throw new KeelsonError('USAGE', `${names}: nothing of it is for ${hosts.join(', ')}`, {
    hint: 'keelson phase list -o wide shows which hosts a phase is for',
  });
}

/** What joining hosts takes: every phase of a host, and of the cluster's those about its nodes and members. */
export function joinPhases(phases: readonly KeelsonPhase[] = APPLY_PHASES): KeelsonPhase[] {
  return phases.filter(
    (phase) =>
      phase.target !== 'cluster' ||
      [NODES, ETCD, ETCD_MEMBER].some(
        ({ name }) => touches(phase, 'needs', name) || touches(phase, 'provides', name),
      ),
  );
}

/** True where the phases work through the API and none of them brings it up. */
export function presumesApi(phases: readonly KeelsonPhase[]): boolean {
  return (
    phases.some((phase) => touches(phase, 'needs', API.name)) &&
    !phases.some((phase) => touches(phase, 'provides', API.name))
  );
}

function touches(phase: Phase<PhaseContext>, side: 'needs' | 'provides', artefact: string): boolean {
  return phase[side].some((candidate) => candidate.name === artefact);
}
