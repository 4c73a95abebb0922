import type { Bundle } from '../bundle/bundle.js';
import type { ClusterClient, KubeObject } from '../cluster/client.js';
import type { ControlPlaneHost } from '../config/inventory.js';
import type { ClusterConfig, ResolvedHost } from '../config/types.js';
import type { Emit } from '../engine/events.js';
import type { ClusterPhase, EngineContext, HostPhase, Phase } from '../engine/phase.js';
import type { HostFacts, HostReader } from '../host/types.js';
import type { PatchFile } from '../manifests/patches.js';
import type { MemberView } from './member-view.js';
import type { TrustStore } from './trust-store.js';

/** What phases know of a run. Everything is handed in; phases read no globals. */
export interface PhaseContext extends EngineContext {
  readonly config: ClusterConfig;
  readonly bundle: Bundle;
  /**
   * The control plane through which the cluster is worked on, and which all others join: one that serves, or,
   * where there is no cluster yet, the first one of the file.
   */
  readonly first: ControlPlaneHost;
  /** The cluster is there already: nothing is initialised, everything that is missing joins. */
  readonly established: boolean;
  /** Facts of every connected host. */
  readonly facts: ReadonlyMap<string, HostFacts>;
  /** PKI and identities, as found on the hosts and issued where missing. */
  readonly trust: TrustStore;
  /** etcd's members, as last seen through the first control plane. */
  readonly members: MemberView;
  /** Client certificate, key and CA of an external etcd as the operator's machine has them, by path on control planes. */
  readonly etcdClient?: ReadonlyMap<string, Buffer>;
  /** What hosts get about mirrors of registries, by path; logins are in it. */
  readonly registryFiles?: ReadonlyMap<string, Buffer>;
  /** Files of each host's patches directory. */
  readonly patches: ReadonlyMap<string, readonly PatchFile[]>;
  /** Objects of the network's manifests, as their sources have them; none where the plugin is another one. */
  readonly networkObjects: () => Promise<readonly KubeObject[]>;
  /** Objects of spec.addons by the add-on's name, as their sources have them. */
  readonly addonObjects: () => Promise<ReadonlyMap<string, readonly KubeObject[]>>;
  /** What the shared certificates are uploaded under for kubeadm, hexadecimal; null where nobody asked for it. */
  readonly certificateKey: string | null;
  readonly emit: Emit;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  hostNamed: (name: string) => ResolvedHost;
  /** A connected host, for evidence and for looking again. */
  reader: (name: string) => HostReader;
  /** Client of the cluster's API as its strongest admin; null while no admin credentials exist anywhere. */
  api: () => ClusterClient | null;
}

export type KeelsonPhase = Phase<PhaseContext>;

/** Identity, for the types. */
export const defineHostPhase = (phase: HostPhase<PhaseContext>): HostPhase<PhaseContext> => phase;
export const defineClusterPhase = (phase: ClusterPhase<PhaseContext>): ClusterPhase<PhaseContext> => phase;
