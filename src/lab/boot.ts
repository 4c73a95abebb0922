import { readFile, stat } from 'node:fs/promises';
import { KeelsonError } from '../errors/keelson-error.js';
import type { Hierarchy } from './cgroups.js';
import { nodeLayout } from './layout.js';
import { killMachine, type Machine, startMachine } from './machine.js';
import { cableName } from './names.js';
import { plugCable, removeInterface } from './network.js';
import { run } from './run.js';
import { sshArgv } from './ssh.js';
import type { LabNode, LabNodeState, LabState } from './types.js';
import { waitUntil } from './wait.js';

export const DEFAULT_BOOT_TIMEOUT_MS = 60_000;

export interface BootOptions {
  stateRoot: string;
  hierarchies: readonly Hierarchy[];
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  onState: (state: Exclude<LabNodeState, 'missing'> | 'preparing') => void;
  /** Called before a machine that does not run is started: the time to write into its disks. */
  prepare?: () => Promise<void>;
}

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );

/** Whether the machine has said that its sshd listens. */
export const saysReady = (stateRoot: string, lab: string, node: string) =>
  exists(nodeLayout(stateRoot, lab, node).ready);

/**
 * Boots a node unless it runs, and waits until a command over ssh succeeds. ssh is asked only once the
 * machine itself has said that sshd listens, so no connection is wasted on a machine that is not there yet.
 */
export async function bootNode(
  state: LabState,
  node: LabNode,
  running: readonly Machine[],
  options: BootOptions,
): Promise<void> {
  const { stateRoot, signal } = options;
  let pid = running.find((machine) => machine.lab === state.name && machine.node === node.name)?.pid;
  if (pid === undefined) {
    options.onState('preparing');
    await killMachine(state.name, node.name, options.hierarchies);
    await removeInterface(cableName(state.name, node.name));
    await options.prepare?.();
    options.onState('booting');
    pid = await startMachine(stateRoot, state.name, node, state.base, options.hierarchies);
  }
  const supervisor = pid;
  const evidence = () => consoleTail(stateRoot, state.name, node.name);
  const requireAlive = async () => {
    if (await exists(`/proc/${supervisor}`)) return;
    throw new KeelsonError('LAB', 'the machine stopped while booting', {
      host: node.name,
      hint: `read ${nodeLayout(stateRoot, state.name, node.name).console}`,
      details: await evidence(),
    });
  };
  await plugCable(state.name, node.name, { signal, requireAlive });
  const wait = { timeoutMs: options.timeoutMs, signal, host: node.name, evidence };
  await waitUntil(
    async () => {
      await requireAlive();
      return (await saysReady(stateRoot, state.name, node.name)) ? null : 'still booting';
    },
    { ...wait, what: `boot of ${node.name}` },
  );
  await waitUntil(() => sshRefusal(state, node, signal), {
    ...wait,
    what: `ssh on ${node.name}`,
    everyMs: 250,
  });
  options.onState('running');
}

/** null when ssh works; the reason where a later try may succeed; LAB where none will. */
async function sshRefusal(state: LabState, node: LabNode, signal?: AbortSignal): Promise<string | null> {
  try {
    await run(sshArgv(state.directory, node, ['true']), { signal });
    return null;
  } catch (error) {
    if (!(error instanceof KeelsonError) || error.code === 'ABORTED') throw error;
    if (/refused|timed out|No route|unreachable|reset|closed/.test(error.message)) return error.message;
    throw new KeelsonError('LAB', error.message, { host: node.name, cause: error, details: error.details });
  }
}

/** The end of what the machine said on its console. */
async function consoleTail(stateRoot: string, lab: string, node: string): Promise<string> {
  const text = await readFile(nodeLayout(stateRoot, lab, node).console, 'utf8').catch(() => '');
  return text.slice(-4000);
}
