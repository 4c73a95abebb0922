import type { LabDriverName, LabOptions, LabRequest, LabSpec, LabStatus } from './types.js';

/** Which lab is meant. */
export interface LabRef {
  name: string;
  /** Directory that holds cluster.yaml, keys and known_hosts, absolute; usually `<cwd>/.keelson/lab/<name>`. */
  directory: string;
  /** Where half-built machine bases may lie; only `down` looks there. */
  cacheDir?: string;
}

/**
 * All that keelson does with a lab's machines. After `up` and `start` ssh works with what the lab's directory
 * holds, and cluster.yaml there names the machines. LAB where there is no such lab or node.
 */
export interface LabDriver {
  readonly name: LabDriverName;
  /** Refuses what can't be, with USAGE or LAB, before anything is built or written. */
  check: (request: LabRequest) => Promise<void>;
  /** Makes what is missing and boots what is off; removes nothing. Calling it again after an error goes on. */
  up: (spec: LabSpec, options?: LabOptions) => Promise<LabStatus>;
  status: (lab: LabRef) => Promise<LabStatus>;
  /** Command line that runs `argv` on a node, or a shell where it is empty. */
  sshCommand: (lab: LabRef, node: string, argv: readonly string[]) => Promise<string[]>;
  /** Cuts a node's power. */
  stop: (lab: LabRef, node: string, options?: LabOptions) => Promise<void>;
  /** Boots it again: same disks, same host key. */
  start: (lab: LabRef, node: string, options?: LabOptions) => Promise<void>;
  /**
   * Removes the lab. One that is not there is no error. Returns what was removed, in words.
   * @param options with `forget` also a lab whose machines its own program can't remove: they are named and given up
   */
  down: (lab: LabRef, options?: LabOptions & { forget?: boolean }) => Promise<string[]>;
}
