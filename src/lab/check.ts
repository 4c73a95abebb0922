import { basename } from 'node:path';
import { KeelsonError } from '../errors/keelson-error.js';
import { planNodes } from './address-plan.js';
import { assertLabName } from './names.js';
import { readState, requireOwnTag } from './state.js';
import { requireRoot } from './tools.js';
import { DEFAULT_STATE_ROOT, type LabRequest, type LabState } from './types.js';

/** Any /24: only how many nodes fit is asked. */
const SOME_SUBNET = '10.88.0.0/24';

/**
 * Refuses a lab that can't be made, before anything is built, installed or written.
 * @throws USAGE for names and numbers; LAB for who may not, and for what is there already
 */
export async function checkLab(request: LabRequest, stateRoot = DEFAULT_STATE_ROOT): Promise<void> {
  requireLabDirectory(request);
  const { controlPlanes = 1, workers = 2, etcd = 0 } = request;
  planNodes(SOME_SUBNET, controlPlanes, workers, etcd);
  requireRoot();
  await requireOwnTag(stateRoot, request.name);
  const before = await readState(stateRoot, request.name);
  requireSameDirectory(before, request);
  requireFamilies(before, request);
  const counts = countsOf(before, request);
  planNodes(SOME_SUBNET, counts.controlPlanes, counts.workers, counts.etcd);
}

/** What `lab down` removes as a whole must be the lab's own. */
export function requireLabDirectory({ name, directory }: Pick<LabRequest, 'name' | 'directory'>): void {
  assertLabName(name);
  if (directory.startsWith('/') && basename(directory) === name) return;
  throw new KeelsonError('USAGE', `${directory} can't be the directory of lab '${name}'`, {
    hint: "use an absolute path that ends in the lab's name",
  });
}

export function requireSameDirectory(before: LabState | null, { name, directory }: LabRequest): void {
  if (before === null || before.directory === directory) return;
  throw new KeelsonError('LAB', `lab '${name}' belongs to ${before.directory}`, {
    hint: `choose another name, or remove that lab from there: keelson lab down --name ${name}`,
  });
}

/** A lab has the families that it was made with. */
export function requireFamilies(before: LabState | null, { name, dualStack }: LabRequest): void {
  if (before === null || dualStack !== true || before.subnet6 !== undefined) return;
  throw new KeelsonError('LAB', `lab '${name}' has IPv4 only`, {
    hint: `remove it first: keelson lab down --name ${name}`,
  });
}

/** How many machines of each role a lab is to have: what was asked for, and never fewer than it has. */
export function countsOf(
  before: LabState | null,
  spec: LabRequest,
): { controlPlanes: number; workers: number; etcd: number } {
  const count = (role: string) => before?.nodes.filter((node) => node.role === role).length ?? 0;
  return {
    controlPlanes: Math.max(spec.controlPlanes ?? (before === null ? 1 : 0), count('control-plane')),
    workers: Math.max(spec.workers ?? (before === null ? 2 : 0), count('worker')),
    etcd: Math.max(spec.etcd ?? 0, count('etcd')),
  };
}
