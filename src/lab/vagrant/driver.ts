import { readFile, rm, rmdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { KeelsonError } from '../../errors/keelson-error.js';
import { requireLabDirectory } from '../check.js';
import type { LabDriver, LabRef } from '../driver.js';
import { userFiles } from '../keys.js';
import { assertLabName } from '../names.js';
import { sshCommandLine } from '../ssh.js';
import type { LabOptions, LabRequest, LabSpec, LabStatus } from '../types.js';
import { DEFAULT_SUBNET, profileNodes, writeVagrantClusterFile } from './cluster-file.js';
import { type Environment, parseVagrantStatus, requireVagrant, settingsIn, vagrant } from './command.js';
import { readLogins } from './logins.js';
import { readProfile } from './profiles.js';
import {
  type MadeMachine,
  machinesMade,
  readVagrantState,
  requireVagrantNode,
  requireVagrantState,
  type VagrantState,
  writeVagrantState,
} from './state.js';

const DEFAULT_PROFILE = 'small';

/**
 * Machines of Vagrant, with whatever provider it has. Everything of a lab lies in its own directory; the
 * Vagrantfiles are those of the package.
 * @param env environment of the user's programs: PATH, and the settings of the Vagrantfile
 */
export function vagrantDriver(env: Environment): LabDriver {
  return {
    name: 'vagrant',
    check: async (request) => {
      requireLabDirectory(request);
      await planState(request, env);
      await requireVagrant(env);
    },
    up: (spec, options = {}) => up(spec, env, options),
    status: async (lab) => statusOf(lab, await requireVagrantState(lab), env),
    sshCommand: async (lab, node, argv) => {
      const { login } = requireVagrantNode(await requireVagrantState(lab), node);
      if (login === null) {
        throw new KeelsonError('LAB', `${node} has never run`, {
          hint: `keelson lab up --driver vagrant --name ${lab.name}`,
        });
      }
      return sshCommandLine({ ...login, knownHostsFile: userFiles(lab.directory).knownHosts }, argv);
    },
    stop: async (lab, node, options = {}) => {
      const state = await requireVagrantState(lab);
      requireVagrantNode(state, node);
      const report = nodeReporter(node, options);
      await vagrant({ ...lab, state, env }, ['halt', '--force', node], { signal: options.signal });
      report('stopped');
    },
    start: async (lab, node, options = {}) => {
      const state = await requireVagrantState(lab);
      requireVagrantNode(state, node);
      const report = nodeReporter(node, options);
      await vagrant({ ...lab, state, env }, ['up', '--no-provision', node], { signal: options.signal });
      await refreshFiles(lab, state, env, { ...options, only: node });
      report('ready');
    },
    down: (lab, options = {}) => down(lab, env, options),
  };
}

async function up(spec: LabSpec, env: Environment, options: LabOptions): Promise<LabStatus> {
  requireLabDirectory(spec);
  const state = await planState(spec, env);
  await requireVagrant(env);
  await writeVagrantState(spec.directory, state);
  const lab = { directory: spec.directory, state, env };
  await vagrant(lab, ['up', ...(state.provider === null ? [] : ['--provider', state.provider])], {
    signal: options.signal,
    onLine: (line) => options.onEvent?.({ kind: 'driver', message: line }),
  });
  await refreshFiles(spec, state, env, { ...options, spec });
  return statusOf(spec, state, env);
}

/** The lab as it is, or as it will be: profile, provider and settings hold from the first `up` on. */
async function planState(spec: LabRequest, env: Environment): Promise<VagrantState> {
  const before = await readVagrantState(spec.directory);
  const profile = spec.profile ?? before?.profile ?? DEFAULT_PROFILE;
  const provider = spec.provider ?? before?.provider ?? null;
  if (before !== null) {
    if (before.profile === profile && before.provider === provider) return before;
    throw new KeelsonError('LAB', `lab '${spec.name}' has profile ${before.profile}`, {
      hint: `choose another name, or remove it first: keelson lab down --name ${spec.name}`,
    });
  }
  const box: Record<string, string> = spec.box === undefined ? {} : { KEELSON_VAGRANT_BOX: spec.box };
  const settings = { ...settingsIn(env), ...box };
  const subnet = settings.KEELSON_VAGRANT_SUBNET ?? DEFAULT_SUBNET;
  const { clusterFile } = await readProfile(profile);
  return {
    version: 1,
    name: spec.name,
    profile,
    provider,
    subnet,
    settings,
    nodes: profileNodes(clusterFile, subnet),
  };
}

/** Asks anew how to log in (ports and addresses change with a boot) and writes it where it is read. */
async function refreshFiles(
  lab: LabRef,
  state: VagrantState,
  env: Environment,
  options: LabOptions & { only?: string; spec?: LabSpec },
): Promise<void> {
  const { only, signal, spec } = options;
  const files = userFiles(lab.directory);
  const known = await readFile(files.knownHosts, 'utf8').catch(() => '');
  const { nodes } = await readLogins(
    { directory: lab.directory, state, env },
    only === undefined ? '' : known,
    {
      signal,
      ...(only === undefined ? {} : { only }),
    },
  );
  await writeVagrantState(lab.directory, { ...state, nodes });
  const { clusterFile } = await readProfile(state.profile);
  const outcome = await writeVagrantClusterFile(files.cluster, clusterFile, nodes, {
    name: state.name,
    subnet: state.subnet,
    kubernetesVersion: spec?.kubernetesVersion ?? '',
    bundle: spec?.bundle ?? '',
  });
  options.onEvent?.({ kind: 'cluster-file', path: files.cluster, outcome });
}

async function statusOf(lab: LabRef, state: VagrantState, env: Environment): Promise<LabStatus> {
  const text = await vagrant({ directory: lab.directory, state, env }, ['status', '--machine-readable']);
  const states = parseVagrantStatus(text);
  return {
    name: state.name,
    driver: 'vagrant',
    directory: lab.directory,
    subnet: state.subnet,
    bridge: null,
    nodes: state.nodes.map(({ name, role, nodeIP }) => ({
      name,
      role,
      address: nodeIP,
      state: states.get(name) ?? 'missing',
      pid: null,
    })),
  };
}

async function down(
  lab: LabRef,
  env: Environment,
  options: LabOptions & { forget?: boolean },
): Promise<string[]> {
  assertLabName(lab.name);
  const state = await readVagrantState(lab.directory);
  if (state === null) return [];
  const removed: string[] = [];
  const note = (what: string) => {
    removed.push(what);
    options.onEvent?.({ kind: 'removed', what });
  };
  const machines = await machinesMade(lab.directory);
  // Where none was ever made there is nothing to ask Vagrant for, which may be missing, or have no provider.
  if (machines.length > 0) {
    try {
      await vagrant({ directory: lab.directory, state, env }, ['destroy', '--force'], {
        signal: options.signal,
      });
      for (const { node } of machines) note(`machine ${node}`);
    } catch (error) {
      if (!(error instanceof KeelsonError) || error.code === 'ABORTED') throw error;
      if (options.forget !== true) throw cantDestroy(machines, error);
      const left = machines.map(({ node, provider, id }) => `${node} (${provider} ${id})`).join(', ');
      options.onEvent?.({ kind: 'driver', message: `left behind: ${left}` });
    }
  }
  await rm(lab.directory, { recursive: true, force: true });
  note(lab.directory);
  // Not empty: other labs are there.
  await rmdir(dirname(lab.directory)).catch(() => {});
  return removed;
}

function cantDestroy(machines: readonly MadeMachine[], cause: KeelsonError): KeelsonError {
  const names = machines.map(({ node, provider, id }) => `${node} (${provider} ${id})`).join(', ');
  return new KeelsonError('LAB', `Vagrant can't remove ${names}: ${cause.message}`, {
    cause,
    hint: `${cause.hint ?? 'see what Vagrant says'}; or give them up with keelson lab down --forget, and remove them with the provider's own tools`,
    details: cause.details,
  });
}

function nodeReporter(node: string, options: LabOptions): (state: 'ready' | 'stopped') => void {
  const began = performance.now();
  return (state) =>
    options.onEvent?.({ kind: 'node', node, state, durationMs: Math.round(performance.now() - began) });
}
