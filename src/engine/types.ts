import type { ReadRequest, ReadResult } from '../host/types.js';

/**
 * Content of a file in a plan. Secrets are references into the artefact store, resolved only when applied,
 * so that a plan can be printed, saved and logged. Blobs are addressed by digest and live in the bundle.
 */
type Content =
  | { kind: 'text'; text: string }
  | { kind: 'secret'; artefact: string; summary: string }
  | { kind: 'blob'; sha256: string; size: number };

export interface FileChange {
  kind: 'file';
  op: 'create' | 'update' | 'remove';
  path: string;
  /** Permission bits, for example 0o600. */
  mode: number;
  content?: Content;
  /** Mode of parent directories that have to be made. */
  dirMode?: number;
  /** Unified diff of text, secrets masked. */
  diff?: string;
  reason: string;
  disrupts?: boolean;
  destroys?: boolean;
}

export interface ServiceChange {
  kind: 'service';
  op: 'start' | 'stop' | 'restart' | 'reload' | 'enable' | 'disable' | 'daemon-reload';
  unit: string;
  reason: string;
  disrupts?: boolean;
}

/** A package of the host's distribution, by the distribution's own package manager. */
export interface PackageChange {
  kind: 'package';
  op: 'install' | 'remove';
  name: string;
  reason: string;
}

export interface ImageChange {
  kind: 'image';
  reference: string;
  /** Digest of the image's manifest, `sha256:…`. */
  digest: string;
  size: number;
  reason: string;
}

export interface ObjectChange {
  kind: 'object';
  op: 'create' | 'update' | 'delete';
  apiVersion: string;
  objectKind: string;
  namespace: string;
  name: string;
  /** Absent for deletions and for objects with secrets, which `artefact` names. */
  body?: Record<string, unknown>;
  artefact?: string;
  diff?: string;
  reason: string;
  /** An update of what can't be changed in place: the object is deleted and made again. */
  replaces?: boolean;
}

/** Something that no other kind says; the phase's `actions` table has the code under `name`. */
export interface ActionChange {
  kind: 'action';
  name: string;
  summary: string;
  params?: Record<string, string>;
  disrupts?: boolean;
  destroys?: boolean;
}

export type Change = FileChange | ServiceChange | PackageChange | ImageChange | ObjectChange | ActionChange;

/** What the check of one phase on one host says. */
export type Standing = 'satisfied' | 'drifted' | 'missing' | 'blocked';

export interface TaskPlan {
  phase: string;
  /** Host in the inventory; '' for cluster-wide phases. */
  host: string;
  standing: Standing;
  /** Why it is not satisfied; for `blocked`, what the user has to do. */
  reasons: string[];
  changes: Change[];
}

/** Everything that an apply would do, in phase order. Serialisable; holds no secret. */
export interface Plan {
  formatVersion: 1;
  cluster: string;
  /** sha256 of the resolved configuration. */
  configDigest: string;
  tasks: TaskPlan[];
  /** Hosts that leave the cluster, whose tasks come last; absent where none does. */
  leaving?: string[];
}

export type { ReadRequest, ReadResult };
