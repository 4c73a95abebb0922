import type { ClusterConfig } from '../../config/types.js';
import type { FileSpec } from '../../host/types.js';
import type { CertAndKey, IssueContext } from '../../pki/issue.js';
import type { PodRestart } from './pods.js';
import type { Run } from './run.js';
import type { Rotatable, Step } from './state.js';

/** What a step does on one host. */
export interface HostWork {
  files: readonly FileSpec[];
  /** Certificates with their keys, as the kubelet keeps them: a file that the link `current` points to. */
  kubeletPairs?: readonly { current: string; content: Buffer }[];
  /** Static pods that are started anew, group after group; the kubelet is restarted with each. */
  pods: readonly Omit<PodRestart, 'mark'>[];
  /** The kubelet has to read its files again. */
  kubelet: boolean;
  /** Restarts that have an order of their own, in place of `pods`. */
  restart?: (mark: string | null) => Promise<void>;
}

/** How one kind of trust is replaced. Steps are those that hosts take part in. */
export interface RotationKind {
  name: Rotatable;
  /** Name in sentences: `the cluster CA`. */
  title: string;
  /** What each step does, as a plan tells it; steps that it has not are left out. */
  does: Partial<Record<Step, string>>;
  /** What whoever is not keelson has to know or do. */
  consequences: readonly string[];
  /** A new one. */
  create: (config: ClusterConfig, context: IssueContext) => Promise<CertAndKey>;
  /** The present one, out of what stands on a control plane; null where its key is kept elsewhere. */
  present: (config: ClusterConfig, files: ReadonlyMap<string, Buffer>) => CertAndKey | null;
  /** Hosts that have a part in it, by name, in order. */
  hosts: (run: Run) => readonly string[];
  work: (run: Run, host: string, step: Step) => Promise<HostWork>;
  /** Waits until a host's processes show what the step gave them. */
  settled: (run: Run, host: string, step: Step) => Promise<void>;
  /** What the cluster's objects need, after all hosts. */
  objects: (run: Run, step: Step) => Promise<void>;
  /** Files beside kubeadm's that are of use only while the rotation lasts; on control planes. */
  leftovers: (config: ClusterConfig) => readonly string[];
  /** What has to be done before the pods that hold copies are replaced; absent where pods hold none. */
  beforeRestart?: (run: Run, step: Step) => Promise<void>;
  /** Writes everything anew that the old one has written; absent where it writes nothing. */
  rewrite?: (run: Run, step: Step) => Promise<void>;
  /** Why it can't be done in this cluster; null where it can. */
  refusal: (config: ClusterConfig) => string | null;
  /** It is an authority: who is certified by it is looked at everywhere before the old one is dropped. */
  surveyed: boolean;
  /**
   * Milliseconds after `issue` in which some process may still use what it had: nothing is dropped before. Absent where
   * all of them are seen to use the new.
   */
  lingerMs?: (run: Run) => Promise<number>;
}
