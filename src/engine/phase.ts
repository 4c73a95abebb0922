import type { Host, HostReader, ReadRequest, ReadResult } from '../host/types.js';
import type { ActionChange, TaskPlan } from './types.js';

/**
 * Something that one phase makes and others need: `host` artefacts exist once a host (a running container
 * runtime), `cluster` artefacts once (a serving API).
 */
export interface Artefact {
  name: string;
  scope: 'host' | 'cluster';
}

/** Which hosts a phase has a task for; `cluster` phases have one task and no host. */
export type Target =
  | 'all'
  | 'control-planes'
  | 'first-control-plane'
  | 'joining-control-planes'
  | 'workers'
  | 'nodes'
  | 'etcd-hosts'
  | 'control-planes-and-etcd-hosts'
  | 'cluster';

export interface HostEntry {
  name: string;
  role: 'control-plane' | 'worker' | 'etcd';
}

/** What the engine itself needs of a run's context; phases know a richer one. */
export interface EngineContext {
  readonly inventory: readonly HostEntry[];
  /** The control plane that all others join; default the first one of the inventory. */
  readonly first?: { readonly name: string };
  readonly signal: AbortSignal;
}

export type Verdict = Pick<TaskPlan, 'standing' | 'reasons' | 'changes'>;

interface PhaseBase<C extends EngineContext> {
  /** Path name in kebab-case, as `kubeadm init phase` has it: `certs/apiserver`. */
  name: string;
  /** One line for listings. */
  summary: string;
  needs: readonly Artefact[];
  /** What this phase waits for if the run provides it, but does without where that failed. */
  after?: readonly Artefact[];
  provides: readonly Artefact[];
  /** False leaves the phase out of this cluster altogether. */
  runIf?: (context: C) => boolean;
}

/** A phase with a task for each of its hosts. */
export interface HostPhase<C extends EngineContext> extends PhaseBase<C> {
  target: Exclude<Target, 'cluster'>;
  /** One host at a time, in inventory order. */
  serial?: boolean;
  /**
   * What disrupts is done on one host at a time, among all phases that say so, and on no other host once it failed
   * on one. A disrupting task ends with an action that waits until what it stopped is back.
   */
  rolling?: boolean;
  /** Sends much: such tasks take turns, first control plane first, so that what everybody waits for goes ahead. */
  bulk?: boolean;
  /** Phases of one group do their work on a host together: many small files in one stream. */
  group?: string;
  /** What this phase wants to know of `host`; read together with all other phases' wishes. Pure. */
  observe: (context: C, host: string) => ReadRequest;
  /** Looks at what only the cluster can tell, before any host is planned and before it is planned again. Reads only. */
  consult?: (context: C) => Promise<void>;
  /** From what was seen to the changes that make it right. Pure: no I/O, same answer for same input. */
  plan: (context: C, host: string, seen: ReadResult) => Verdict;
  /** Code of this phase's `action` changes, by name. */
  actions?: Readonly<Record<string, (context: C, host: Host, change: ActionChange) => Promise<void>>>;
}

/** A phase with one task for the whole cluster, working through the Kubernetes API. */
export interface ClusterPhase<C extends EngineContext> extends PhaseBase<C> {
  target: 'cluster';
  /**
   * Its changes only wait until `check` is satisfied. What else runs may undo it, so that it is not looked at right
   * after the wait, but when the run is at its end: `settle`.
   */
  awaits?: true;
  /** Reads the API (or finds that there is none) and says what has to change. No mutation. */
  check: (context: C) => Promise<Verdict>;
  actions?: Readonly<Record<string, (context: C, change: ActionChange) => Promise<void>>>;
}

export type Phase<C extends EngineContext> = HostPhase<C> | ClusterPhase<C>;

export const SATISFIED: Verdict = { standing: 'satisfied', reasons: [], changes: [] };

/** Hosts of a phase, in inventory order; [''] for cluster phases. */
export function targetsOf(
  phase: { target: Target },
  { inventory, first }: Pick<EngineContext, 'inventory' | 'first'>,
): string[] {
  const controlPlanes = inventory.filter((host) => host.role === 'control-plane').map((host) => host.name);
  const firstName = first?.name ?? controlPlanes[0];
  switch (phase.target) {
    case 'cluster':
      return [''];
    case 'all':
      return inventory.map((host) => host.name);
    case 'control-planes':
      return controlPlanes;
    case 'first-control-plane':
      return controlPlanes.filter((name) => name === firstName);
    case 'joining-control-planes':
      return controlPlanes.filter((name) => name !== firstName);
    case 'workers':
      return inventory.filter((host) => host.role === 'worker').map((host) => host.name);
    case 'nodes':
      return inventory.filter((host) => host.role !== 'etcd').map((host) => host.name);
    case 'etcd-hosts':
      return inventory.filter((host) => host.role === 'etcd').map((host) => host.name);
    case 'control-planes-and-etcd-hosts':
      return inventory.filter((host) => host.role !== 'worker').map((host) => host.name);
  }
}

/** Readers for planning: the type has no mutator, so a dry run can't reach one. */
export type Readers = ReadonlyMap<string, HostReader>;
