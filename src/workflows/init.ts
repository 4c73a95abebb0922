import { controlPlanes, firstControlPlane } from '../config/inventory.js';
import type { ClusterConfig } from '../config/types.js';
import type { Emit } from '../engine/events.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { type ApplyOptions, type ApplyResult, applyCluster } from './apply.js';
import { planFollowers, runFollowers } from './followers.js';
import { joinPhases } from './phase-selection.js';
import { requireApi } from './require.js';
import type { Session } from './session.js';

type StepOptions = Omit<ApplyOptions, 'phases' | 'saved' | 'run' | 'hosts' | 'afterwards'>;

/**
 * The first control plane and everything of the cluster itself, as `kubeadm init` does; before it an etcd on
 * hosts of role etcd.
 * @param session of the first control plane alone
 * @throws CONFLICT where the cluster is there already and this host is no member of it
 */
export async function initCluster(session: Session, options: StepOptions): Promise<ApplyResult> {
  const { config, first, established } = session.context;
  const { name } = firstControlPlane(config);
  if (established && first.name !== name) {
    throw new KeelsonError('CONFLICT', `the cluster is there already, on ${first.name}`, {
      host: name,
      hint: `run keelson join --host ${name}, or keelson apply`,
    });
  }
  const etcd = session.context.inventory.filter((host) => host.role === 'etcd').map((host) => host.name);
  return applyCluster(session, { ...options, hosts: [first.name, ...etcd], run: 'init' });
}

/** @throws USAGE where no control plane of the file is left that the hosts could join */
export function refuseNoneToJoin(config: ClusterConfig, hosts: readonly string[]): void {
  if (controlPlanes(config).some(({ name }) => !hosts.includes(name))) return;
  throw notJoining(firstControlPlane(config).name);
}

const notJoining = (name: string): KeelsonError =>
  new KeelsonError('USAGE', `${name} is the control plane that all others join`, {
    hint: 'keelson init brings it up, keelson apply brings it up to date',
  });

export interface JoinOptions extends StepOptions {
  hosts: readonly string[];
  /** False where more comes and goes, and the other hosts are told once after it. */
  follow?: boolean;
}

/**
 * Hosts into a running cluster, as `kubeadm join` does. On the other hosts only what has to know of a new control
 * plane or etcd member is changed: load balancers, API servers.
 * @param session of these hosts (the first control plane is always in it)
 * @throws USAGE for the first control plane; CONFLICT where no API runs
 */
export async function joinHosts(session: Session, options: JoinOptions): Promise<ApplyResult> {
  const { first, hostNamed } = session.context;
  if (options.hosts.includes(first.name)) throw notJoining(first.name);
  await requireApi(session);
  const { follow = true, stop, hosts, ...rest } = options;
  const run = 'join';
  const roles = new Set(follow ? hosts.map((name) => hostNamed(name).role) : []);
  const afterwards = async (emit: Emit) => {
    for (const role of roles) {
      await runFollowers(session, await planFollowers(session, role, hosts), { run, emit, stop });
    }
  };
  const stopping = stop === undefined ? {} : { stop };
  return applyCluster(session, { ...rest, ...stopping, phases: joinPhases(), run, afterwards });
}
