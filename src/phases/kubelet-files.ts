import type { Change } from '../engine/types.js';
import type { ReadResult } from '../host/types.js';
import { KUBELET_UNIT } from '../manifests/kubelet.js';
import type { PhaseContext } from './context.js';
import { KUBELET_CONFIG, KUBELET_FLAGS, KUBELET_INSTANCE_CONFIG } from './paths.js';
import { renderedChanges } from './rendered.js';
import { serviceChanges } from './services.js';

/** The kubelet's configuration files, the same ones that kubeadm writes. */
export const KUBELET_FILES = [KUBELET_CONFIG, KUBELET_INSTANCE_CONFIG, KUBELET_FLAGS];

/** Changes of the kubelet's configuration files, with the service's start or restart behind them. */
export function kubeletConfigChanges(
  context: PhaseContext,
  host: string,
  seen: ReadResult,
  before: readonly Change[] = [],
): Change[] {
  const files = renderedChanges(context, host, seen, KUBELET_FILES);
  const touched =
    files.length > 0 || before.some((change) => change.kind === 'file' && change.op === 'update');
  const services = serviceChanges(KUBELET_UNIT, seen.units.get(KUBELET_UNIT), {
    touched,
    unitFileTouched: false,
  });
  return [...before, ...files, ...services.filter((change) => change.op !== 'enable')];
}
