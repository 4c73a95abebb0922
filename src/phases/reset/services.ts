import { CONTAINERD_UNIT } from '../../manifests/containerd.js';
import { SNAPSHOT_TIMER } from '../../manifests/etcd-snapshots.js';
import { KUBELET_UNIT } from '../../manifests/kubelet.js';
import { MEMBERS_OUT } from '../artefacts.js';
import { defineHostPhase } from '../context.js';
import { halting } from '../unit-removal.js';
import { KUBELET_STOPPED, PODS_GONE, RUNTIME_STOPPED, TIMER_STOPPED } from './artefacts.js';
import { leftover } from './leftover.js';
import { CONTAINERD_REQUEST, ownsContainerd } from './owned.js';

export const stopKubelet = defineHostPhase({
  name: 'reset/kubelet',
  summary: 'the kubelet stopped and disabled, so that it starts nothing again',
  target: 'all',
  needs: [MEMBERS_OUT],
  provides: [KUBELET_STOPPED],
  observe: () => ({ units: [KUBELET_UNIT] }),
  plan: (_context, _host, seen) => leftover(halting(KUBELET_UNIT, seen.units.get(KUBELET_UNIT))),
});

export const stopTimer = defineHostPhase({
  name: 'reset/etcd-snapshots',
  summary: 'the timer of etcd’s snapshots stopped; the snapshots stay',
  target: 'all',
  needs: [],
  provides: [TIMER_STOPPED],
  observe: () => ({ units: [SNAPSHOT_TIMER] }),
  plan: (_context, _host, seen) => leftover(halting(SNAPSHOT_TIMER, seen.units.get(SNAPSHOT_TIMER))),
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
