import { saysReady } from './boot.js';
import { readHierarchies, rootCgroups } from './cgroups.js';
import { runningMachines } from './machine.js';
import { bridgeName } from './names.js';
import { labsOnDisk, requireState } from './state.js';
import { DEFAULT_STATE_ROOT, type LabNodeState, type LabStatus } from './types.js';

/** Where a lab's machines stand; LAB where there is no such lab. Reads only. */
export async function labStatus(lab: string, options: { stateRoot?: string } = {}): Promise<LabStatus> {
  const stateRoot = options.stateRoot ?? DEFAULT_STATE_ROOT;
  const state = await requireState(stateRoot, lab);
  const running = await runningMachines();
  const nodes = await Promise.all(
    state.nodes.map(async ({ name, role, address }) => {
      const pid = running.find((machine) => machine.lab === lab && machine.node === name)?.pid ?? null;
      const at: LabNodeState =
        pid === null ? 'stopped' : (await saysReady(stateRoot, lab, name)) ? 'running' : 'booting';
      return { name, role, address, state: at, pid };
    }),
  );
  return {
    name: lab,
    driver: 'nspawn',
    directory: state.directory,
    subnet: state.subnet,
    bridge: bridgeName(lab),
    nodes,
  };
}

/** Names of all labs on this computer, sorted: those with a state, and those of which only traces are left. */
export async function labList(options: { stateRoot?: string } = {}): Promise<string[]> {
  const names = new Set(await labsOnDisk(options.stateRoot ?? DEFAULT_STATE_ROOT));
  for (const machine of await runningMachines()) names.add(machine.lab);
  for (const cgroup of await rootCgroups(await readHierarchies())) {
    if (cgroup.startsWith('keelson-')) names.add(cgroup.slice('keelson-'.length));
  }
  return [...names].sort();
}
