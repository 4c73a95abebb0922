import { join } from 'node:path';

/** Directories that kubelet, containerd and etcd need on a real filesystem: no overlay stands on an overlay. */
export const DISKS = ['containerd', 'kubelet', 'etcd', 'keelson'] as const;

/** `<stateRoot>/<lab>`: everything of a lab but what its user reads. */
export function labRoot(stateRoot: string, lab: string): string {
  return join(stateRoot, lab);
}

/** Paths of one node below its lab's root. */
export function nodeLayout(stateRoot: string, lab: string, node: string) {
  const root = join(labRoot(stateRoot, lab), node);
  return {
    directory: root,
    /** Mount point of the machine's root, only in the machine's own mount namespace. */
    root: join(root, 'root'),
    upper: join(root, 'upper'),
    work: join(root, 'work'),
    disks: join(root, 'disks'),
    /** Bound to /run/keelson-lab inside; the machine says there that it is up. */
    signals: join(root, 'signals'),
    ready: join(root, 'signals', 'ready'),
    console: join(root, 'console.log'),
  };
}

/** /etc/hosts of all machines of a lab: one file, bound into each, so that new nodes show up at once. */
export function hostsFile(stateRoot: string, lab: string): string {
  return join(labRoot(stateRoot, lab), 'hosts');
}
