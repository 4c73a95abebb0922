import type { ServiceChange } from '../../engine/types.js';
import type { UnitState } from '../../host/types.js';
import { CONTAINERD_UNIT } from '../../manifests/containerd.js';
import { KUBELET_UNIT } from '../../manifests/kubelet.js';
import { MEMBERS_OUT } from '../artefacts.js';
import { defineHostPhase } from '../context.js';
import { KUBELET_STOPPED, PODS_GONE, RUNTIME_STOPPED } from './artefacts.js';
import { leftover } from './leftover.js';
import { CONTAINERD_REQUEST, ownsContainerd } from './owned.js';

const RUNNING = ['active', 'activating', 'reloading', 'deactivating'];

/** Stop and disable, each only where it is needed. */
function halting(unit: string, state: UnitState | undefined): ServiceChange[] {
  if (state === undefined || state.load === 'not-found') return [];
  const changes: ServiceChange[] = [];
  if (RUNNING.includes(state.active))
    changes.push({ kind: 'service', op: 'stop', unit, reason: `${unit} is ${state.active}`, disrupts: true });
  if (state.enabled === 'enabled')
    changes.push({ kind: 'service', op: 'disable', unit, reason: `${unit} is enabled` });
  return changes;
}

export const stopKubelet = defineHostPhase({
  name: 'reset/kubelet',
  summary: 'the kubelet stopped and disabled, so that it starts nothing again',
  target: 'all',
  needs: [MEMBERS_OUT],
  provides: [KUBELET_STOPPED],
  observe: () => ({ units: [KUBELET_UNIT] }),
  plan: (_context, _host, seen) => leftover(halting(KUBELET_UNIT, seen.units.get(KUBELET_UNIT))),
});

export const stopRuntime = defineHostPhase({
  name: 'reset/runtime',
  summary: 'containerd stopped and disabled, where keelson installed it',
  target: 'all',
  needs: [PODS_GONE],
  provides: [RUNTIME_STOPPED],
  observe: () => ({ units: [CONTAINERD_UNIT], ...CONTAINERD_REQUEST }),
  plan: (_context, _host, seen) =>
    leftover(ownsContainerd(seen) ? halting(CONTAINERD_UNIT, seen.units.get(CONTAINERD_UNIT)) : []),
});
