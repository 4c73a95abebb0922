import type { BundleLock } from '../../bundle/lock.js';
import type { ClusterConfig, ResolvedHost } from '../../config/types.js';
import type { HostFacts, ReadResult } from '../../host/types.js';

/** `error` stops an apply, unless its check is ignored; `warning` is told; `ok` is only listed. */
export type Severity = 'error' | 'warning' | 'ok';

/** What one check says of one host. */
export interface Finding {
  /** Name of the check, kubeadm's where kubeadm has it: `Port-6443`. */
  check: string;
  host: string;
  severity: Severity;
  /** One sentence without a full stop. */
  message: string;
  /** What the user can do, as an imperative; '' where nothing is to be done. */
  remedy: string;
}

/** A finding before the host's name is added. */
export type Outcome = Omit<Finding, 'host'>;

/** A host as it is known before anything was read. */
export interface Target {
  readonly config: ClusterConfig;
  readonly host: ResolvedHost;
  readonly lock: BundleLock;
  /** The first control plane, whose CA is the cluster's. */
  readonly first: boolean;
}

/** A host with everything that was seen of it. */
export interface Subject extends Target {
  readonly facts: HostFacts;
  readonly seen: ReadResult;
  /**
   * The host is part of this cluster already, or an apply of this cluster was under way on it: what only
   * matters before joining is not asked of it.
   */
  readonly member: boolean;
  readonly standing: Standing;
  /** The cluster's CA in PEM as the first control plane has it; null while there is none. */
  readonly clusterCa: string | null;
  /** The first control plane is a member. */
  readonly clusterExists: boolean;
}

/** Whose a host is, as its own files tell. */
export interface Standing {
  /** keelson has worked here. */
  journal: boolean;
  /** PEM of the CA certificate; null where there is none. */
  ca: string | null;
  /** PEM of the CA that kubelet.conf trusts; '' where it has one in no readable form, null without kubelet.conf. */
  kubeletCa: string | null;
}

/** A check, or a few that share their probes. Probes read only; `judge` is pure. */
export interface Check {
  /** Unique among the checks; not shown. */
  id: string;
  /** POSIX sh snippets by name, sent together with those of all other checks. */
  probes?: (target: Target) => Record<string, string>;
  /** `all` is every host that was looked at, this one included. Nothing is said of what does not apply. */
  judge: (subject: Subject, all: readonly Subject[]) => Outcome[];
}

/** Identity, for the types. */
export const defineCheck = (check: Check): Check => check;

export const ok = (check: string, message: string): Outcome => ({
  check,
  severity: 'ok',
  message,
  remedy: '',
});
export const warning = (check: string, message: string, remedy: string): Outcome => ({
  check,
  severity: 'warning',
  message,
  remedy,
});
export const error = (check: string, message: string, remedy: string): Outcome => ({
  check,
  severity: 'error',
  message,
  remedy,
});

/** What a probe printed; '' where it was not sent. */
export function said(subject: Subject, probe: string): string {
  return subject.seen.probes.get(probe)?.stdout ?? '';
}

/** The lines that a probe printed, without empty ones. */
export function linesOf(subject: Subject, probe: string): string[] {
  return said(subject, probe)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

/** `/var/lib/etcd` as kubeadm writes paths in names: `-var-lib-etcd`. */
export function pathInName(path: string): string {
  return path.replaceAll('/', '-');
}
