import type { Artefact } from '../../engine/phase.js';

const onHost = (name: string): Artefact => ({ name, scope: 'host' });

/** The kubelet is stopped: nothing starts pods any more. */
export const KUBELET_STOPPED = onHost('reset/kubelet-stopped');
/** No timer takes snapshots of etcd any more. */
export const TIMER_STOPPED = onHost('reset/timer-stopped');
/** No pod, sandbox, mount or network namespace is left. */
export const PODS_GONE = onHost('reset/pods-gone');
/** containerd is stopped, where it is keelson's. */
export const RUNTIME_STOPPED = onHost('reset/runtime-stopped');
/** Interfaces, routes and packet filters of Kubernetes are gone. */
export const NETWORK_GONE = onHost('reset/network-gone');
/** Files and directories are gone. */
export const FILES_GONE = onHost('reset/files-gone');
