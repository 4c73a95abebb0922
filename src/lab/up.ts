import { randomBytes } from 'node:crypto';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KeelsonError } from '../errors/keelson-error.js';
import { address6Of, freeSubnet, planNodes, subnet6Of, virtualAddressOf } from './address-plan.js';
import { basePath, ensureBase } from './base.js';
import { bootNode, DEFAULT_BOOT_TIMEOUT_MS } from './boot.js';
import { cgroupVersion, readHierarchies } from './cgroups.js';
import { countsOf, requireFamilies, requireLabDirectory, requireSameDirectory } from './check.js';
import { writeClusterFile } from './cluster-file.js';
import { openFirewall } from './firewall.js';
import { loadKernelModules, raiseInotifyLimits, requireRealFilesystem } from './host-limits.js';
import { type KeyPair, keyPair, knownHostsText, userFiles, writeKnownHosts } from './keys.js';
import { hostsFile, nodeLayout } from './layout.js';
import { withLabLock } from './lock.js';
import { runningMachines } from './machine.js';
import { bridgeName } from './names.js';
import { makeBridge, readUsedNetworks } from './network.js';
import { hostsText } from './node-files.js';
import { seedNode } from './seed.js';
import { readState, requireOwnTag, writeState } from './state.js';
import { labStatus } from './status.js';
import { requireLabHost } from './tools.js';
import { DEFAULT_STATE_ROOT, type LabOptions, type LabSpec, type LabState, type LabStatus } from './types.js';

/**
 * Brings a lab up: base, bridge, machines, all at once as far as one does not need the other. Machines that
 * run are left alone, missing ones are made, none is ever removed. When it resolves, ssh works on all nodes
 * with the key and known_hosts in `spec.directory`.
 *
 * Errors: USAGE for names and numbers that can't be, LAB for what this computer lacks, DEADLINE for a machine
 * that does not boot (its console's end is in `details`), LOCKED, ABORTED. After an error, calling it again goes on.
 */
export async function labUp(spec: LabSpec, options: LabOptions = {}): Promise<LabStatus> {
  requireLabDirectory(spec);
  await requireLabHost();
  const stateRoot = options.stateRoot ?? DEFAULT_STATE_ROOT;
  return withLabLock(stateRoot, spec.name, () => bringUp(spec, stateRoot, options));
}

async function bringUp(spec: LabSpec, stateRoot: string, options: LabOptions): Promise<LabStatus> {
  const { signal } = options;
  const emit = options.onEvent ?? (() => {});
  const began = performance.now();
  const elapsed = () => Math.round(performance.now() - began);

  await requireRealFilesystem(stateRoot);
  await requireOwnTag(stateRoot, spec.name);
  const before = await readState(stateRoot, spec.name);
  requireSameDirectory(before, spec);
  requireFamilies(before, spec);

  const state = await planState(spec, before, signal);
  await writeState(stateRoot, state);
  for (const message of [...(await loadKernelModules(signal)), ...(await raiseInotifyLimits())]) {
    emit({ kind: 'host-changed', message });
  }

  const say = (message: string, at: 'building' | 'ready') =>
    emit({ kind: 'base', state: at, message, durationMs: elapsed() });
  const base = ensureBase(state.base, {
    mirror: spec.mirror,
    signal,
    onMessage: (message) => say(message, 'building'),
  });
  const [hierarchies, keys] = await Promise.all([
    readHierarchies(),
    makeKeys(stateRoot, state),
    base.then(() => say('Debian base', 'ready')),
    makeBridge(state, signal),
  ]);
  for (const message of await openFirewall(state.name, signal)) emit({ kind: 'host-changed', message });
  emit({ kind: 'network', bridge: bridgeName(state.name), subnet: state.subnet });
  await writeFile(hostsFile(stateRoot, state.name), hostsText(state.nodes), { mode: 0o644 });
  const cluster = userFiles(spec.directory).cluster;
  const outcome = await writeClusterFile(cluster, {
    name: state.name,
    nodes: state.nodes,
    kubernetesVersion: spec.kubernetesVersion,
    bundle: spec.bundle,
    endpoint: spec.endpoint,
    network: spec.network,
    proxyMode: spec.proxyMode,
    virtualAddress: virtualAddressOf(state.subnet),
    cgroupVersion: cgroupVersion(hierarchies),
  });
  emit({ kind: 'cluster-file', path: cluster, outcome });

  const running = await runningMachines();
  const boots = state.nodes.map((node) =>
    bootNode(state, node, running, {
      stateRoot,
      hierarchies,
      timeoutMs: spec.bootTimeoutMs ?? DEFAULT_BOOT_TIMEOUT_MS,
      signal,
      onState: (at) =>
        emit({
          kind: 'node',
          node: node.name,
          state: at === 'running' ? 'ready' : at,
          durationMs: elapsed(),
        }),
      prepare: () =>
        seedNode(stateRoot, state, node, {
          hostKey: keys.hosts.get(node.name) ?? missingKey(node.name),
          clientPublicKey: keys.client.publicKey,
        }),
    }),
  );
  await allOrFirstError(boots);
  return labStatus(state.name, { stateRoot });
}

/** Waits for all, so that nothing goes on behind an error, then throws the first. */
async function allOrFirstError(work: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) {
    if (result.status === 'rejected') throw result.reason;
  }
}

function missingKey(node: string): never {
  throw new KeelsonError('BUG', `no host key was made for ${node}`);
}

async function planState(spec: LabSpec, before: LabState | null, signal?: AbortSignal): Promise<LabState> {
  const { controlPlanes, workers, etcd } = countsOf(before, spec);
  const subnet = before?.subnet ?? freeSubnet(await readUsedNetworks(signal));
  const subnet6 = before === null && spec.dualStack === true ? subnet6Of(subnet) : before?.subnet6;
  return {
    version: 1,
    name: spec.name,
    directory: spec.directory,
    subnet,
    ...(subnet6 === undefined ? {} : { subnet6 }),
    base: await baseOf(before, spec),
    nodes: planNodes(subnet, controlPlanes, workers, etcd).map((node) => ({
      ...node,
      ...(subnet6 === undefined ? {} : { address6: address6Of(subnet6, node.address) }),
      machineId:
        before?.nodes.find((known) => known.name === node.name)?.machineId ?? randomBytes(16).toString('hex'),
    })),
  };
}

/** The base that the lab's overlays were made on, as long as it is there: another one would not fit them. */
async function baseOf(before: LabState | null, spec: LabSpec): Promise<string> {
  const known = before?.base;
  const there = known !== undefined && (await stat(known).catch(() => null)) !== null;
  return there ? known : basePath(spec.cacheDir);
}

/** The user's key and one host key a node, with the known_hosts made from them. */
async function makeKeys(
  stateRoot: string,
  state: LabState,
): Promise<{ client: KeyPair; hosts: ReadonlyMap<string, KeyPair> }> {
  await mkdir(state.directory, { recursive: true });
  const files = userFiles(state.directory);
  const client = await keyPair(files.identity, `keelson lab ${state.name}`);
  const pairs = await Promise.all(
    state.nodes.map(async (node): Promise<[string, KeyPair]> => {
      const directory = nodeLayout(stateRoot, state.name, node.name).directory;
      return [node.name, await keyPair(join(directory, 'ssh_host_ed25519_key'), node.name)];
    }),
  );
  const hosts = new Map(pairs);
  const publicKeys = new Map(pairs.map(([name, pair]) => [name, pair.publicKey]));
  await writeKnownHosts(files.knownHosts, knownHostsText(state.nodes, publicKeys));
  return { client, hosts };
}
