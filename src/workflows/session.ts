import { createHash } from 'node:crypto';
import { type Bundle, blobPath, loadBundle } from '../bundle/bundle.js';
import { type ClusterClient, clusterClient } from '../cluster/client.js';
import { firstControlPlane, hostNamed, presentHosts } from '../config/inventory.js';
import type { ClusterConfig, ResolvedHost } from '../config/types.js';
import type { Effects } from '../engine/changes.js';
import type { EngineEvent, TimedEvent } from '../engine/events.js';
import type { Readers } from '../engine/phase.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { connectAll, connectSettled } from '../host/pool.js';
import type { ConnectOptions } from '../host/settings.js';
import type { Host, HostFacts } from '../host/types.js';
import type { PhaseContext } from '../phases/context.js';
import { CA_CERTIFICATE_ARTEFACT } from '../phases/join/nodes.js';
import { trustStore } from '../phases/trust-store.js';
import { applyObjects } from './apply-objects.js';
import { importImages } from './import-images.js';
import { patchesOf } from './patches.js';

export interface SessionOptions {
  config: ClusterConfig;
  connect?: Omit<ConnectOptions, 'signal'>;
  /** Events of the run, as they happen. */
  onEvent?: (event: TimedEvent) => void;
  /** Breaks everything off. */
  signal?: AbortSignal;
  /** Connect only to these hosts (and the first control plane). */
  hosts?: readonly string[];
  /** Leave hosts that can't be reached out, and name them in `failures`, instead of failing. */
  tolerant?: boolean;
  now?: () => number;
}

/** A tolerant session doesn't wait long for hosts that it can do without. */
const TOLERANT_CONNECT_MS = 2500;

/** A connected cluster: what every workflow works with. Close it when done. */
export interface Session {
  context: PhaseContext;
  hosts: ReadonlyMap<string, Host>;
  /** Hosts that could not be reached; empty unless the session is tolerant. */
  failures: ReadonlyMap<string, KeelsonError>;
  readers: Readers;
  effects: Effects;
  /** sha256 of the resolved configuration. */
  configDigest: string;
  emit: (event: EngineEvent) => void;
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
  const emit = (event: EngineEvent) => options.onEvent?.({ ...event, at: now() });
  const first = firstControlPlane(config);
  const wanted = hostsToConnect(config, options.hosts);
  const [bundle, patches] = await Promise.all([bundleOf(config), patchesOf(config)]);
  const pool = { ...options.connect, signal, concurrency: config.spec.concurrency };
  const { connected, failures } =
    options.tolerant === true
      ? await connectSettled(wanted, { connectTimeoutMs: TOLERANT_CONNECT_MS, ...pool })
      : { connected: await connectAll(wanted, pool), failures: new Map<string, KeelsonError>() };
  try {
    const hosts = new Map([...connected].map(([name, host]): [string, Host] => [name, host.asRoot()]));
    const facts = new Map<string, HostFacts>();
    await Promise.all([...hosts].map(async ([name, host]) => facts.set(name, await host.facts())));
    const trust = trustStore(config, now);
    let client: ClusterClient | null = null;
    let clientKey = '';
    const hostOf = (name: string): Host => {
      const host = hosts.get(name);
      if (host === undefined) throw new KeelsonError('BUG', `no connection to ${name}`);
      return host;
    };
    const context: PhaseContext = {
      config,
      bundle,
      first,
      facts,
      trust,
      patches,
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
      configDigest: digestOf(config),
      effects: {
        host: hostOf,
        secret: (artefact) => secretOf(context, artefact),
        blobPath: (sha256) => blobPath(bundle, sha256),
        importImages: (host, images) => importImages(bundle, host, images, signal),
        applyObjects: (changes) => applyObjects(context, changes),
      },
      close: async () => {
        await client?.close();
        await Promise.all([...hosts.values()].map((host) => host.close()));
      },
    };
  } catch (error) {
    await Promise.all([...connected.values()].map((host) => host.close()));
    throw error;
  }
}

/**
 * The named hosts, the first control plane, and with control planes or hosts of role etcd among the named
 * all of role etcd: they have etcd's CA and its members.
 */
function hostsToConnect(config: ClusterConfig, names: readonly string[] | undefined): ResolvedHost[] {
  if (names === undefined) return presentHosts(config);
  const first = firstControlPlane(config).name;
  const named = presentHosts(config).filter(({ name }) => names.includes(name));
  const withEtcd = named.some((host) => host.role !== 'worker');
  return presentHosts(config).filter(
    (host) => named.includes(host) || host.name === first || (withEtcd && host.role === 'etcd'),
  );
}

async function secretOf(context: PhaseContext, artefact: string): Promise<Buffer> {
  if (artefact === CA_CERTIFICATE_ARTEFACT) return Buffer.from(await context.trust.ensureCa());
  const match = /^trust:([^:]+):(.+)$/.exec(artefact);
  if (match?.[1] === undefined || match[2] === undefined)
    throw new KeelsonError('BUG', `unknown secret artefact ${artefact}`);
  return context.trust.file(match[1], match[2]);
}

async function bundleOf(config: ClusterConfig): Promise<Bundle> {
  if (config.spec.bundle === null) {
    throw new KeelsonError('BUNDLE', 'the cluster file names no bundle', {
      hint: `build one with: keelson bundle build --kubernetes-version ${config.cluster.kubernetesVersion}; then name its directory in spec.bundle`,
    });
  }
  const bundle = await loadBundle(config.spec.bundle);
  if (bundle.lock.kubernetesVersion !== config.cluster.kubernetesVersion) {
    throw new KeelsonError(
      'BUNDLE',
      `the bundle ${config.spec.bundle} is of Kubernetes ${bundle.lock.kubernetesVersion}, the cluster file wants ${config.cluster.kubernetesVersion}`,
      {
        hint: `build one with: keelson bundle build --kubernetes-version ${config.cluster.kubernetesVersion}`,
      },
    );
  }
  return bundle;
}

function digestOf(config: ClusterConfig): string {
  return createHash('sha256')
    .update(JSON.stringify({ ...config, file: null }))
    .digest('hex');
}
