import { readFile, stat, statfs, writeFile } from 'node:fs/promises';
import { KeelsonError } from '../errors/keelson-error.js';
import { run } from './run.js';

/**
 * Limits that all machines of this computer share. With the kernel's default of 128 instances the fourth or
 * fifth node fails with "too many open files" in kube-proxy, flannel and etcd.
 */
const INOTIFY_LIMITS: Readonly<Record<string, number>> = {
  max_user_instances: 8192,
  max_user_watches: 1_048_576,
};

/** OVERLAYFS_SUPER_MAGIC of linux/magic.h. */
const OVERLAY_MAGIC = 0x794c7630;

/** Raises the inotify limits where they are lower. @returns a sentence for each that was raised */
export async function raiseInotifyLimits(directory = '/proc/sys/fs/inotify'): Promise<string[]> {
  const raised: string[] = [];
  for (const [name, wanted] of Object.entries(INOTIFY_LIMITS)) {
    const path = `${directory}/${name}`;
    const current = Number(await readFile(path, 'utf8'));
    if (current >= wanted) continue;
    await writeFile(path, String(wanted));
    raised.push(`raised fs.inotify.${name} from ${current} to ${wanted}`);
  }
  return raised;
}

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );

/**
 * Loads kernel modules that a machine can't load from inside: overlay for its root, br_netfilter for
 * kube-proxy. Kernels that have them built in need nothing.
 * @returns a sentence for each that was loaded
 */
export async function loadKernelModules(signal?: AbortSignal): Promise<string[]> {
  const hasOverlay = /\boverlay$/m.test(await readFile('/proc/filesystems', 'utf8'));
  const needed = [
    ...(hasOverlay ? [] : ['overlay']),
    ...((await exists('/proc/sys/net/bridge')) ? [] : ['br_netfilter']),
  ];
  const loaded: string[] = [];
  for (const name of needed) {
    try {
      await run(['modprobe', name], { signal });
    } catch (error) {
      throw new KeelsonError('LAB', `this kernel has no ${name}`, {
        hint: `boot a kernel with ${name}, or install its modules`,
        cause: error,
      });
    }
    loaded.push(`loaded the kernel module ${name}`);
  }
  return loaded;
}

/** Throws LAB where `directory` (existing) lies on an overlay: machines' overlays can't stand on it. */
export async function requireRealFilesystem(directory: string): Promise<void> {
  if ((await statfs(directory)).type !== OVERLAY_MAGIC) return;
  throw new KeelsonError(
    'LAB',
    `${directory} is on an overlay filesystem, on which no machine's disk can be`,
    {
      hint: 'mount a real filesystem (ext4, xfs) there, for example a volume if this is a container',
    },
  );
}
