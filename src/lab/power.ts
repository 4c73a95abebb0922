import { bootNode, DEFAULT_BOOT_TIMEOUT_MS } from './boot.js';
import { readHierarchies } from './cgroups.js';
import { killMachine, runningMachines } from './machine.js';
import { cableName } from './names.js';
import { makeBridge, removeInterface } from './network.js';
import { requireNode, requireState } from './state.js';
import { requireLabHost, requireRoot } from './tools.js';
import { DEFAULT_STATE_ROOT, type LabOptions } from './types.js';

/** Cuts a node's power: nothing in it is told. Its disks stay as they are. A stopped node is no error. */
export async function labStopNode(lab: string, node: string, options: LabOptions = {}): Promise<void> {
  requireRoot();
  const began = performance.now();
  const stateRoot = options.stateRoot ?? DEFAULT_STATE_ROOT;
  requireNode(await requireState(stateRoot, lab), node);
  // No lock: power fails whatever else goes on.
  await killMachine(lab, node, await readHierarchies());
  await removeInterface(cableName(lab, node));
  options.onEvent?.({
    kind: 'node',
    node,
    state: 'stopped',
    durationMs: Math.round(performance.now() - began),
  });
}

/** Boots a node again: same disks, machine-id, address and host key; resolves when ssh works. */
export async function labStartNode(lab: string, node: string, options: LabOptions = {}): Promise<void> {
  await requireLabHost();
  const began = performance.now();
  const stateRoot = options.stateRoot ?? DEFAULT_STATE_ROOT;
  const state = await requireState(stateRoot, lab);
  // After a reboot of this computer the bridge is gone too.
  await makeBridge(state, options.signal);
  await bootNode(state, requireNode(state, node), await runningMachines(), {
    stateRoot,
    hierarchies: await readHierarchies(),
    timeoutMs: DEFAULT_BOOT_TIMEOUT_MS,
    signal: options.signal,
    onState: (at) =>
      options.onEvent?.({
        kind: 'node',
        node,
        state: at === 'running' ? 'ready' : at === 'stopped' ? 'preparing' : at,
        durationMs: Math.round(performance.now() - began),
      }),
  });
}
