import { controlPlanes, presentHosts } from '../config/inventory.js';
import type { ClusterConfig } from '../config/types.js';
import type { KeelsonError } from '../errors/keelson-error.js';
import { combineFailures, connectSettled, type PoolOptions } from '../host/pool.js';
import type { Host } from '../host/types.js';
import { type Choice, chooseFirst, progressOf } from './first.js';

/** A session doesn't wait long for hosts that it can do without, nor for one of several control planes. */
const OPTIONAL_CONNECT_MS = 2500;

export interface Connections extends Choice {
  /** Connected hosts, as root. */
  hosts: Map<string, Host>;
  /** Hosts that could not be reached and are not needed. */
  failures: Map<string, KeelsonError>;
  close: () => Promise<void>;
}

export interface WantedHosts {
  /** Names of the hosts that have to be reached; default all that are present. */
  hosts?: readonly string[];
  /** None of them has to be. */
  tolerant: boolean;
}

/**
 * Connects to the wanted hosts in parallel, and to a control plane through which the cluster is worked on: the
 * first one of the file, or, where it does not serve, whichever does.
 * @throws CONNECTION, AUTHENTICATION, HOST_KEY (or HOSTS_FAILED) naming every host that failed
 */
export async function connectCluster(
  config: ClusterConfig,
  { hosts: names, tolerant }: WantedHosts,
  pool: PoolOptions & { signal: AbortSignal },
): Promise<Connections> {
  const present = presentHosts(config);
  const planes = controlPlanes(config);
  const wanted = present.filter((host) => names === undefined || names.includes(host.name));
  const optional = { connectTimeoutMs: OPTIONAL_CONNECT_MS, ...pool };
  const hosts = new Map<string, Host>();
  const failures = new Map<string, KeelsonError>();
  const close = async () => {
    await Promise.all([...hosts.values()].map((host) => host.close()));
  };
  const connect = async (targets: typeof present, options: PoolOptions) => {
    const result = await connectSettled(targets, options);
    for (const [name, host] of result.connected) {
      const root = host.asRoot();
      // Asked for while it is found out how far the control planes are; whoever needs the facts hears of a failure.
      root.facts().catch(() => undefined);
      hosts.set(name, root);
      failures.delete(name);
    }
    for (const [name, failure] of result.failures) failures.set(name, failure);
  };
  /** Control planes that were not tried yet; all of them where none could be reached. */
  const untried = () => {
    const reached = tolerant || planes.some(({ name }) => hosts.has(name));
    return planes.filter(({ name }) => !hosts.has(name) && !(reached && failures.has(name)));
  };
  try {
    await Promise.all([
      connect(wanted, tolerant ? optional : pool),
      connect(
        planes.slice(0, 1).filter((plane) => !wanted.includes(plane)),
        planes.length > 1 ? optional : pool,
      ),
    ]);
    const missing = wanted.flatMap(({ name }) => failures.get(name) ?? []);
    if (!tolerant && missing.length > 0) throw combineFailures(missing, wanted.length);
    let progress = await progressOf(config, hosts, pool.signal);
    const settled = progress.size > 0 && chooseFirst(config, progress).serving;
    if (!settled && untried().length > 0 && planes.length > 1) {
      await connect(untried(), tolerant ? optional : pool);
      progress = await progressOf(config, hosts, pool.signal);
    }
    if (progress.size > 0) return { ...chooseFirst(config, progress), hosts, failures, close };
    const [first] = planes;
    if (!tolerant || first === undefined) throw noControlPlane(planes, failures);
    return { first, established: false, serving: false, hosts, failures, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function noControlPlane(
  planes: readonly { name: string }[],
  failures: ReadonlyMap<string, KeelsonError>,
): KeelsonError {
  const theirs = planes.flatMap(({ name }) => failures.get(name) ?? []);
  return combineFailures(theirs, planes.length);
}
