import type { DrainSettings } from './waves.js';
import type { MaintenanceWindow } from './window.js';

export interface UpgradeOptions {
  /** Who holds the lock, as others are told. */
  owner: string;
  /** Soft stop: what is under way finishes, nothing new begins. */
  stop?: AbortSignal;
  /** Nothing begins outside of this time of the day. */
  window?: MaintenanceWindow;
  /** Only these hosts; the step stays under way until all are through. */
  hosts?: readonly string[];
  /** Where the snapshot of etcd from before goes; null for none. */
  snapshotDirectory: string | null;
  /** Nodes that may be away at once: a number, or a part as `25%`. */
  maxUnavailable: string;
  /** Whether pods leave a worker first: always, never, or where the kubelet's minor changes. */
  drain: 'always' | 'never' | 'minor';
  drainSettings: DrainSettings;
  /** Bundle of the version before, for a rollback; null where it is not known. */
  previousBundle: string | null;
  /** Names of findings whose errors are warnings. */
  ignore?: readonly string[];
}

export interface UpgradeResult {
  cluster: string;
  from: string;
  to: string;
  /** False while hosts are left that were not chosen. */
  complete: boolean;
  changed: number;
  /** Snapshot of etcd on this machine. */
  snapshot: string | null;
  durationMs: number;
}
