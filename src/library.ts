import { homedir } from 'node:os';
import { resolve } from 'node:path';
import { firstControlPlane, hostNamed } from './config/inventory.js';
import { loadClusterConfig, parseClusterConfig } from './config/load.js';
import type { ClusterConfig } from './config/types.js';
import type { TimedEvent } from './engine/events.js';
import type { Plan } from './engine/types.js';
import type { ConnectOptions } from './host/settings.js';
import { type ApplyResult, applyCluster, planApply } from './workflows/apply.js';
import { initCluster, joinHosts } from './workflows/init.js';
import { adminKubeconfig } from './workflows/kubeconfig.js';
import { ownerOf } from './workflows/lock.js';
import { planPhases, runPhases } from './workflows/phase-run.js';
import { phasesNamed } from './workflows/phase-selection.js';
import { type ResetResult, resetCluster } from './workflows/reset.js';
import { openSession, type Session } from './workflows/session.js';
import { type ClusterStatus, clusterStatus } from './workflows/status.js';
import { selectChecks, type VerifyReport } from './workflows/verify/checks.js';
import { verifyCluster } from './workflows/verify.js';

/** A cluster file, read, checked, with all defaults; frozen. */
export type Cluster = ClusterConfig;

export interface LoadOptions {
  /** What `~` stands for; default the current user's home folder. */
  homeDir?: string;
  /** The environment to take SSH_AUTH_SOCK from; default none, so that no agent is used. */
  env?: Readonly<Record<string, string | undefined>>;
}

export interface ParseOptions extends LoadOptions {
  /** Folder where relative paths in the text start; default the current one. */
  baseDir?: string;
}

export interface WorkOptions {
  /** How to log in, beside what the cluster file says. */
  connect?: Omit<ConnectOptions, 'signal'>;
  /** Everything that happens, as it happens. What it throws is the caller's own. */
  onEvent?: (event: TimedEvent) => void;
  /** Breaks off at once. What was under way may be half done; the next run goes on from there. */
  signal?: AbortSignal;
}

export interface PlanOptions extends WorkOptions {
  /** Only these hosts. */
  hosts?: readonly string[];
  /** Only this phase or group of phases, by name: `certs`, `addon/coredns`. */
  phase?: string;
}

export interface ApplyOptions extends PlanOptions {
  /** A plan made before: refused with CONFLICT where reality or the cluster has moved since. */
  plan?: Plan;
  /** Soft stop: what is under way finishes, nothing new begins. */
  stop?: AbortSignal;
  /** Names of preflight checks whose errors are warnings; `all` for every one. */
  ignorePreflightErrors?: readonly string[];
  /** Who holds the cluster's lock, as others are told; default user@machine. */
  owner?: string;
}

export interface VerifyOptions extends WorkOptions {
  /** Only these checks, by name. */
  only?: readonly string[];
  /** Not these checks. */
  skip?: readonly string[];
  /** Also stop a worker's kubelet and see its pod move. Disrupts. */
  reschedule?: boolean;
  /** Also see whether network policies hold; fails with flannel, which has none. */
  networkPolicy?: boolean;
  /** Soft stop: no further check; what was made is taken away all the same. */
  stop?: AbortSignal;
  /** Who holds the cluster's lock, as others are told; default user@machine. */
  owner?: string;
}

type StepOptions = Omit<ApplyOptions, 'hosts' | 'phase' | 'plan'>;

/**
 * A cluster from its file.
 * @throws KeelsonError CONFIG with everything that is wrong, by line and column
 */
export async function loadCluster(file: string, options: LoadOptions = {}): Promise<Cluster> {
  return loadClusterConfig(resolve(file), { homeDir: homedir(), ...options });
}

/**
 * A cluster from the text of a file.
 * @throws KeelsonError CONFIG
 */
export function parseCluster(text: string, options: ParseOptions = {}): Cluster {
  return parseClusterConfig(text, { homeDir: homedir(), ...options });
}

/**
 * What `apply` would change now. Reads only.
 * @throws KeelsonError
 */
export async function plan(cluster: Cluster, options: PlanOptions = {}): Promise<Plan> {
  return inSession(cluster, options, options.hosts, (session) => {
    const hosts = selected(cluster, options.hosts);
    if (options.phase === undefined) return planApply(session, hosts);
    return planPhases(session, { phases: phasesNamed(options.phase), ...hosts });
  });
}

/**
 * Makes the cluster what its file says. Safe to repeat.
 * @throws KeelsonError
 */
export async function apply(cluster: Cluster, options: ApplyOptions = {}): Promise<ApplyResult> {
  return inSession(cluster, options, options.hosts, (session) => {
    const common = { ...stepOptions(options), ...selected(cluster, options.hosts) };
    const saved = options.plan === undefined ? {} : { saved: options.plan };
    if (options.phase === undefined) return applyCluster(session, { ...common, ...saved });
    return runPhases(session, { ...common, ...saved, phases: phasesNamed(options.phase) });
  });
}

/** The first control plane and what is the cluster's own, as `kubeadm init`. */
export async function init(cluster: Cluster, options: StepOptions = {}): Promise<ApplyResult> {
  const { name } = firstControlPlane(cluster);
  return inSession(cluster, options, [name], (session) => initCluster(session, stepOptions(options)));
}

/** Hosts into a running cluster, as `kubeadm join`. */
export async function join(
  cluster: Cluster,
  hosts: readonly string[],
  options: StepOptions = {},
): Promise<ApplyResult> {
  const names = selected(cluster, hosts).hosts ?? [];
  return inSession(cluster, options, hosts, (session) =>
    joinHosts(session, { ...stepOptions(options), hosts: names }),
  );
}

/** Proves that the cluster works, with real pods. A check that fails is a row of the report, no error. */
export async function verify(cluster: Cluster, options: VerifyOptions = {}): Promise<VerifyReport> {
  const { stop, owner = ownerOf(), only = [], skip = [] } = options;
  const { reschedule = false, networkPolicy = false } = options;
  const checks = selectChecks({ only, skip, reschedule, networkPolicy });
  return inSession(cluster, options, undefined, (session) =>
    verifyCluster(session, {
      checks,
      owner,
      ...(stop === undefined ? {} : { stop }),
    }),
  );
}

/** Hosts, versions, certificates and health at a glance. Reads only. */
export async function status(cluster: Cluster, options: WorkOptions = {}): Promise<ClusterStatus> {
  return inSession(cluster, options, undefined, clusterStatus);
}

/**
 * Takes hosts back to what they were. Destroys what is on them, and asks nobody.
 * @param hosts their names; at least one
 */
export async function reset(
  cluster: Cluster,
  hosts: readonly [string, ...string[]],
  options: Omit<StepOptions, 'ignorePreflightErrors'> = {},
): Promise<ResetResult> {
  const { stop, owner = ownerOf() } = options;
  return inSession(cluster, options, hosts, (session) =>
    resetCluster(session, { hosts, owner, ...(stop === undefined ? {} : { stop }) }),
  );
}

/** The admin kubeconfig, as it stands on the first control plane. A secret. */
export async function kubeconfig(cluster: Cluster, options: WorkOptions = {}): Promise<string> {
  return inSession(cluster, options, [], adminKubeconfig);
}

function stepOptions({ stop, ignorePreflightErrors, owner = ownerOf() }: StepOptions) {
  return {
    owner,
    ...(stop === undefined ? {} : { stop }),
    ...(ignorePreflightErrors === undefined ? {} : { ignorePreflightErrors }),
  };
}

function selected(cluster: Cluster, hosts: readonly string[] | undefined): { hosts?: readonly string[] } {
  return hosts === undefined ? {} : { hosts: hosts.map((name) => hostNamed(cluster, name).name) };
}

async function inSession<T>(
  config: Cluster,
  { connect, onEvent, signal }: WorkOptions,
  hosts: readonly string[] | undefined,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const session = await openSession({
    config,
    ...(connect === undefined ? {} : { connect }),
    ...(onEvent === undefined ? {} : { onEvent }),
    ...(signal === undefined ? {} : { signal }),
    ...(hosts === undefined ? {} : { hosts }),
  });
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}
