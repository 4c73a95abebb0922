import type { KeelsonPhase } from '../context.js';
import { removeCertificateTimer } from './certificate-timer.js';
import { deleteClusterObjects } from './cluster-objects.js';
import { removeEndpoint } from './endpoint.js';
import { removeFiles } from './files.js';
import { removeNetwork } from './network.js';
import { removePods } from './pods.js';
import { stopKubelet, stopRuntime } from './services.js';
import { forgetState } from './state.js';

/**
 * Every phase of a reset, in order.
 * @param leaving hosts that leave a cluster which lives on; [] where the whole cluster goes
 */
export function resetPhases(leaving: readonly string[]): KeelsonPhase[] {
  return [
    stopKubelet,
    removeEndpoint,
    removeCertificateTimer,
    removePods,
    ...(leaving.length === 0 ? [] : [deleteClusterObjects(leaving)]),
    stopRuntime,
    removeNetwork,
    removeFiles,
    forgetState,
  ];
}
