import { setMaxListeners } from 'node:events';
import { type Bundle, blobPath } from '../bundle/bundle.js';
import { RELEASES } from '../bundle/releases.js';
import { type ClusterClient, clusterClient } from '../cluster/client.js';
import { etcdHosts, hostNamed, presentHosts } from '../config/inventory.js';
import type { ClusterConfig } from '../config/types.js';
import type { Effects } from '../engine/changes.js';
import type { EngineEvent, TimedEvent } from '../engine/events.js';
import type { Readers } from '../engine/phase.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { connectSettled } from '../host/pool.js';
import type { ConnectOptions } from '../host/settings.js';
import type { Host, HostFacts } from '../host/types.js';
import { ETCD_CLIENT_ARTEFACT } from '../phases/certs/external-etcd.js';
import type { PhaseContext } from '../phases/context.js';
import { hostBundle } from '../phases/host-bundle.js';
import { CA_CERTIFICATE_ARTEFACT } from '../phases/join/nodes.js';
import { memberView } from '../phases/member-view.js';
import { REGISTRY_ARTEFACT } from '../phases/runtime/registries.js';
import { type AuthorityKey, trustStore } from '../phases/trust-store.js';
import { rendering } from './addons/rendering.js';
import { applyObjects } from './apply-objects.js';
import { openClusterBundle } from './cluster-bundle.js';
import { connectCluster } from './connect.js';
import { etcdClientFiles } from './etcd-client-files.js';
import { importImages } from './import-images.js';
import type { OnlineOptions } from './online-bundle.js';
import { patchesOf } from './patches.js';
import { registryFiles } from './registry-files.js';
import { configDigest } from './saved-plan.js';
import { addonObjects, networkObjects } from './user-objects.js';

export interface SessionOptions extends OnlineOptions {
  config: ClusterConfig;
  connect?: Omit<ConnectOptions, 'signal'>;
  /** Events of the run, as they happen. */
  onEvent?: (event: TimedEvent) => void;
  /** Breaks everything off. */
  signal?: AbortSignal;
  /** Connect only to these hosts, and to a control plane that serves; [] for that one alone. */
  hosts?: readonly string[];
  /** Leave hosts that can't be reached out, and name them in `failures`, instead of failing. */
  tolerant?: boolean;
  /** Work that does without a bundle: a missing one is an error only where something asks for it. */
  bundleOptional?: boolean;
  /** Makes the phase upload-certs a part of the cluster, with this key. */
  certificateKey?: string;
  /** Keys of authorities that are kept off the hosts. Secrets. */
  authorityKeys?: readonly AuthorityKey[];
  /** Where bundle files are unpacked to and releases fetched to; without it a bundle has to be a directory. */
  bundleCache?: string;
  now?: () => number;
}

/** A connected cluster: what every workflow works with. Close it when done. */
export interface Session {
  context: PhaseContext;
  hosts: ReadonlyMap<string, Host>;
  /** Hosts that could not be reached. Unless the session is tolerant, control planes that it can do without. */
  failures: ReadonlyMap<string, KeelsonError>;
  readers: Readers;
  effects: Effects;
  /** sha256 of the resolved configuration. */
  configDigest: string;
  emit: (event: EngineEvent) => void;
  /** Connects to further hosts of the file, absent ones too. @returns those that could not be reached, and why */
  reach: (names: readonly string[]) => Promise<ReadonlyMap<string, KeelsonError>>;
  close: () => Promise<void>;
}

/**
 * Connects to all hosts in parallel, as root, and gathers their facts.
 * @throws CONNECTION, AUTHENTICATION, HOST_KEY (or HOSTS_FAILED) naming every host that failed; BUNDLE
 */
export async function openSession(options: SessionOptions): Promise<Session> {
  const { config } = options;
  const now = options.now ?? Date.now;
  const signal = options.signal ?? new AbortController().signal;
  // Each host listens to it, and Node.js warns of more than ten.
  setMaxListeners(0, signal);
  const emit = (event: EngineEvent) => options.onEvent?.({ ...event, at: now() });
  const [bundle, patches, etcdClient, registries] = await Promise.all([
    settled(bundleOf(options, emit), options.bundleOptional === true),
    patchesOf(config),
    etcdClientFiles(config, now),
    registryFiles(config),
  ]);
  const pool = { ...options.connect, signal, concurrency: config.spec.concurrency };
  const tolerant = options.tolerant === true;
  const names = withEtcdHosts(config, options.hosts);
  const connections = await connectCluster(
    config,
    { tolerant, ...(names === undefined ? {} : { hosts: names }) },
    pool,
  );
  const { first, established, hosts, failures } = connections;
  const wanted = presentHosts(config).filter(
    (host) => names === undefined || names.includes(host.name) || host.name === first.name,
  );
  if (!tolerant) warnOfFailures(failures, first.name, emit);
  try {
    const facts = new Map<string, HostFacts>();
    for (const [name, error] of await gatherFacts(hosts, facts)) {
      // A host that can be logged in to but runs nothing is like one that can't be reached.
      if (!tolerant || name === first.name) throw error;
      failures.set(name, error);
      await hosts.get(name)?.close();
      hosts.delete(name);
    }
    const trust = trustStore(config, now, {
      first: first.name,
      established,
      keys: options.authorityKeys ?? [],
    });
    let client: ClusterClient | null = null;
    let clientKey = '';
    const hostOf = (name: string): Host => {
      const host = hosts.get(name);
      if (host === undefined) throw new KeelsonError('BUG', `no connection to ${name}`);
      return host;
    };
    const renderer = rendering({
      kubernetesVersion: config.cluster.kubernetesVersion,
      bundle: () => orNull(bundle),
      cacheDir: options.bundleCache,
      note: (text) => emit({ type: 'note', host: '', level: 'info', text }),
      signal,
    });
    const context: PhaseContext = {
      config,
      get bundle() {
        return bundle();
      },
      first,
      established,
      facts,
      trust,
      members: memberView(),
      patches,
      etcdClient,
      registryFiles: registries,
      networkObjects: once(() => networkObjects(config, renderer)),
      addonObjects: once(() => addonObjects(config, renderer)),
      certificateKey: options.certificateKey ?? null,
      emit,
      now,
      signal,
      inventory: wanted.map(({ name, role }) => ({ name, role })),
      hostNamed: (name) => hostNamed(config, name),
      reader: hostOf,
      api: () => {
        const admin = trust.admin();
        const host = hosts.get(first.name);
        if (admin === null || host === undefined) return null;
        // A strongest identity found later (issued in this run) takes the place of the one before.
        if (client === null || clientKey !== admin.cert) {
          void client?.close();
          const { advertiseAddress, bindPort } = first.localAPIEndpoint;
          client = clusterClient(host, { address: advertiseAddress, port: bindPort }, admin, signal);
          clientKey = admin.cert;
        }
        return client;
      },
    };
    return {
      context,
      hosts,
      failures,
      readers: hosts,
      emit,
      configDigest: configDigest(config),
      effects: {
        host: hostOf,
        secret: (artefact) => secretOf(context, artefact),
        blobPath: (sha256) => blobPath(bundle(), sha256),
        importImages: (host, images) => importImages(hostBundle(context, host.name), host, images, signal),
        applyObjects: (changes) => applyObjects(context, changes),
      },
      reach: async (names) => {
        const missing = names.filter((name) => !hosts.has(name)).map((name) => hostNamed(config, name));
        const result = await connectSettled(missing, pool);
        for (const [name, host] of result.connected) hosts.set(name, host.asRoot());
        const reached = new Map([...result.connected.keys()].map((name) => [name, hostOf(name)]));
        for (const [, error] of await gatherFacts(reached, facts)) throw error;
        return result.failures;
      },
      close: async () => {
        await client?.close();
        await connections.close();
      },
    };
  } catch (error) {
    await connections.close();
    throw error;
  }
}

/** Asks hosts for their facts, all at once. @returns those that did not say them, and why; ABORTED is thrown */
async function gatherFacts(
  hosts: ReadonlyMap<string, Host>,
  facts: Map<string, HostFacts>,
): Promise<ReadonlyMap<string, KeelsonError>> {
  const failures = new Map<string, KeelsonError>();
  await Promise.all(
    [...hosts].map(async ([name, host]) => {
      try {
        facts.set(name, await host.facts());
      } catch (error) {
        if (!(error instanceof KeelsonError) || error.code === 'ABORTED') throw error;
        failures.set(name, error);
      }
    }),
  );
  return failures;
}

/** With control planes or hosts of role etcd go all of role etcd: they have etcd's CA and its members. */
function withEtcdHosts(
  config: ClusterConfig,
  names: readonly string[] | undefined,
): readonly string[] | undefined {
  const needed = names?.some((name) => hostNamed(config, name).role !== 'worker') ?? false;
  if (names === undefined || !needed) return names;
  return [...new Set([...names, ...etcdHosts(config).map((host) => host.name)])];
}

/** Control planes that this session can do without are named all the same. */
function warnOfFailures(
  failures: ReadonlyMap<string, KeelsonError>,
  first: string,
  emit: (event: EngineEvent) => void,
): void {
  for (const [host, failure] of failures) {
    const text = `can't be reached, so this goes through ${first}: ${failure.message}`;
    emit({ type: 'note', host, level: 'warning', text });
  }
}

async function secretOf(context: PhaseContext, artefact: string): Promise<Buffer> {
  if (artefact === CA_CERTIFICATE_ARTEFACT) return Buffer.from(await context.trust.ensureCa());
  if (artefact.startsWith(ETCD_CLIENT_ARTEFACT)) {
    const file = context.etcdClient?.get(artefact.slice(ETCD_CLIENT_ARTEFACT.length));
    if (file === undefined) throw new KeelsonError('BUG', `unknown secret artefact ${artefact}`);
    return file;
  }
  if (artefact.startsWith(REGISTRY_ARTEFACT)) {
    const file = context.registryFiles?.get(artefact.slice(REGISTRY_ARTEFACT.length));
    if (file === undefined) throw new KeelsonError('BUG', `unknown secret artefact ${artefact}`);
    return file;
  }
  const match = /^trust:([^:]+):(.+)$/.exec(artefact);
  if (match?.[1] === undefined || match[2] === undefined)
    throw new KeelsonError('BUG', `unknown secret artefact ${artefact}`);
  return context.trust.file(match[1], match[2]);
}

/** What is asked for at most once, and only if it is asked for. */
function once<T>(load: () => Promise<T>): () => Promise<T> {
  let loaded: Promise<T> | undefined;
  return () => {
    loaded ??= load();
    return loaded;
  };
}

/** Null for a bundle that nobody insisted on and that can't be had. */
function orNull(bundle: () => Bundle): Bundle | null {
  try {
    return bundle();
  } catch (error) {
    if (error instanceof KeelsonError) return null;
    throw error;
  }
}

/** The value once it is there; with `later` a failure is thrown only when it is asked for. */
async function settled<T>(promise: Promise<T>, later: boolean): Promise<() => T> {
  try {
    const value = await promise;
    return () => value;
  } catch (error) {
    if (!later) throw error;
    return () => {
      throw error;
    };
  }
}

async function bundleOf(options: SessionOptions, emit: (event: EngineEvent) => void): Promise<Bundle> {
  const { config } = options;
  const wanted = config.cluster.kubernetesVersion;
  const known = Object.keys(RELEASES).join(', ');
  if (config.spec.bundle === null) {
    throw new KeelsonError('BUNDLE', 'the cluster file names no bundle', {
      hint: `build one with: keelson bundle build --kubernetes-version ${wanted} (there are ${known}); then name its directory in spec.bundle`,
    });
  }
  const bundle = await openClusterBundle(config, options, emit);
  if (bundle.lock.kubernetesVersion === wanted) return bundle;
  throw new KeelsonError(
    'BUNDLE',
    `the bundle ${config.spec.bundle} is of Kubernetes ${bundle.lock.kubernetesVersion}, the cluster file wants ${wanted}`,
    { hint: `build one with: keelson bundle build --kubernetes-version ${wanted} (there are ${known})` },
  );
}
