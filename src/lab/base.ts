import { createHash } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { removeTree } from './remove-tree.js';
import { run } from './run.js';

// systemd 252 still boots on cgroup v1; later releases don't.
const SUITE = 'bookworm';
const DEFAULT_MIRROR = 'http://deb.debian.org/debian';

const PACKAGES = [
  'systemd',
  'systemd-sysv',
  'dbus',
  'openssh-server',
  'iproute2',
  'iptables',
  'nftables',
  'conntrack',
  'ethtool',
  'socat',
  'ebtables',
  'ipset',
  'kmod',
  'procps',
  'curl',
  'ca-certificates',
  'iputils-ping',
  'sudo',
  // Machines have no route to a mirror, so what an API endpoint needs is there from the start.
  'haproxy',
  'keepalived',
] as const;

export interface BaseOptions {
  mirror?: string | undefined;
  signal?: AbortSignal | undefined;
  /** debootstrap's own words, as it goes along. */
  onMessage?: (message: string) => void;
}

/** Directory of the base for today's suite and package list, whether it is there or not. */
export function basePath(cacheDir: string): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([SUITE, PACKAGES]))
    .digest('hex');
  return join(cacheDir, digest.slice(0, 16));
}

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );

/**
 * Removes what builds left behind whose process is gone. Their programs died with it; their mounts were in a
 * namespace of their own.
 */
export async function dropAbandonedBuilds(cacheDir: string): Promise<void> {
  for (const name of await readdir(cacheDir).catch(() => [])) {
    const builder = /\.building-(\d+)$/.exec(name)?.[1];
    if (builder === undefined) continue;
    if (Number(builder) !== process.pid && (await exists(`/proc/${builder}`))) continue;
    await removeTree(join(cacheDir, name));
  }
}

/**
 * The Debian that all machines' overlays stand on: built once for all labs (a minute or two, 250 MB), in a
 * directory beside and renamed when complete, and never written to again.
 * @param target as `basePath` names it
 */
export async function ensureBase(target: string, options: BaseOptions): Promise<void> {
  if (await exists(target)) return;
  await dropAbandonedBuilds(dirname(target));
  const building = `${target}.building-${process.pid}`;
  await mkdir(building, { recursive: true });
  try {
    await debootstrap(building, options);
    await strip(building);
    await rename(building, target).catch(async (error: NodeJS.ErrnoException) => {
      // Another process was faster: its base is as good.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await removeTree(building);
  }
}

async function debootstrap(root: string, options: BaseOptions): Promise<void> {
  const argv = [
    // Killed with this process, and all that it started with it, mounts included.
    ...['setpriv', '--pdeathsig', 'KILL', '--'],
    ...['unshare', '--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', '--mount-proc'],
    ...['debootstrap', '--variant=minbase', `--include=${PACKAGES.join(',')}`],
    ...[SUITE, root, options.mirror ?? DEFAULT_MIRROR],
  ];
  await run(argv, {
    timeoutMs: 1_200_000,
    // As the first process of its namespace it would not hear a milder signal.
    killSignal: 'SIGKILL',
    signal: options.signal,
    onLine: (line) => {
      if (line.startsWith('I: ')) options.onMessage?.(line.slice(3).trim());
    },
  });
}

/** Takes out what is no machine's own: package caches, and keys that all machines would share. */
async function strip(root: string): Promise<void> {
  for (const directory of ['var/cache/apt', 'var/lib/apt/lists', 'var/cache/debconf']) {
    await rm(join(root, directory), { recursive: true, force: true });
  }
  for (const name of await readdir(join(root, 'etc/ssh'))) {
    if (name.startsWith('ssh_host_')) await rm(join(root, 'etc/ssh', name));
  }
}
