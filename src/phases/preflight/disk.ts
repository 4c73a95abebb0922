import { posix } from 'node:path';
import { filesForRole, imagesForRole } from '../../bundle/bundle.js';
import { memberSettings } from '../../config/inventory.js';
import { STATE_DIR } from '../../engine/journal.js';
import { quote } from '../../host/quote.js';
import { ON_DEMAND_IMAGES } from '../blobs.js';
import {
  defineCheck,
  error,
  linesOf,
  type Outcome,
  ok,
  type Subject,
  type Target,
  warning,
} from './check.js';

const CONTAINERD = '/var/lib/containerd';
const KUBELET = '/var/lib/kubelet';
const CONTENT = `${CONTAINERD}/io.containerd.content.v1.content/blobs/sha256`;

/** Typical growth of a compressed layer when it is unpacked. */
const GZIP_GROWTH = 3;

/** etcd preallocates two segments of its log, 64 MiB each (wal.SegmentSizeBytes), and has its database beside. */
const ETCD_BYTES = 256 * 1024 * 1024;

/** The kubelet's default hard eviction (pkg/kubelet/eviction/defaults_linux.go). */
const EVICTION: Readonly<Record<string, string>> = { 'nodefs.available': '10%', 'imagefs.available': '15%' };

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 1024,
  Mi: 1024 ** 2,
  Gi: 1024 ** 3,
  Ti: 1024 ** 4,
};

/** Bytes that an eviction threshold (`10%`, `500Mi`) means on a filesystem of `total` bytes; 0 for other text. */
export function thresholdBytes(text: string, total: number): number {
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(text)?.[1];
  if (percent !== undefined) return (total * Number(percent)) / 100;
  const [, number = '0', unit = ''] = /^(\d+(?:\.\d+)?)([kMGT]i?|Ki)?$/.exec(text) ?? [];
  return Number(number) * (UNITS[unit] ?? 0);
}

/** A kubelet whose evictionHard names some signals has no threshold for the others. */
function evictionBytes({ config }: Subject, signal: string, total: number): number {
  const own = config.kubelet.evictionHard as Record<string, unknown> | undefined;
  const text = own === undefined ? EVICTION[signal] : own[signal];
  return thresholdBytes(typeof text === 'string' ? text : '', total);
}

interface Need {
  directory: string;
  bytes: number;
  /** An upgrade brings it to the host's store first, and takes it from there without another copy where it can. */
  stored?: true;
  /** On one filesystem with this directory it costs nothing. */
  sharedWith?: string;
}

/** What an apply brings to the host, by directory; what is there already costs nothing. */
export function needsOf(
  target: Target,
  files: ReadonlyMap<string, number>,
  blobs: ReadonlySet<string>,
): Need[] {
  const { host, lock, config } = target;
  const bundle = { dir: '', lock };
  const needs: Need[] = filesForRole(bundle, host.role)
    .filter((file) => files.get(file.path) !== file.size)
    .map((file) => ({ directory: posix.dirname(file.path), bytes: file.size, stored: true }));
  const sent = new Set(blobs);
  for (const image of imagesForRole(bundle, host.role)) {
    if (ON_DEMAND_IMAGES.includes(image.name)) continue;
    for (const blob of image.blobs) {
      if (sent.has(blob.sha256)) continue;
      sent.add(blob.sha256);
      const layer = blob.mediaType.includes('layer');
      const unpacked = !layer ? 0 : blob.mediaType.endsWith('.tar') ? 1 : GZIP_GROWTH;
      needs.push({ directory: CONTAINERD, bytes: blob.size * (1 + unpacked) });
    }
  }
  const settings = memberSettings(config.cluster, host);
  if (settings !== undefined) needs.push({ directory: settings.dataDir, bytes: ETCD_BYTES });
  return needs;
}

const storedOf = (needs: readonly Need[]): Need[] =>
  needs
    .filter(({ stored }) => stored === true)
    .map(({ directory, bytes }) => ({ directory: STATE_DIR, bytes, sharedWith: directory }));

function directoriesOf(target: Target): string[] {
  const needed = needsOf(target, new Map(), new Set()).map(({ directory }) => directory);
  return [...new Set([CONTAINERD, KUBELET, STATE_DIR, ...needed])];
}

interface FileSystem {
  /** Directories of ours on it. */
  directories: string[];
  freeBytes: number;
  totalBytes: number;
}

/** Lines `directory device free total blocksize`, grouped by device: several directories share one filesystem. */
function fileSystems(lines: readonly string[]): FileSystem[] {
  const byDevice = new Map<string, FileSystem>();
  for (const line of lines) {
    const [device = '', free = '', total = '', block = '', ...path] = line.split(' ');
    const known = byDevice.get(device);
    const directory = path.join(' ');
    if (known !== undefined) known.directories.push(directory);
    else {
      const size = Number(block);
      byDevice.set(device, {
        directories: [directory],
        freeBytes: Number(free) * size,
        totalBytes: Number(total) * size,
      });
    }
  }
  return [...byDevice.values()];
}

export const diskSpace = defineCheck({
  id: 'disk-space',
  probes: (target) => ({
    // The nearest directory that is there stands for one that is to be made.
    space: `for dir in ${quote(directoriesOf(target))}; do
  at=$dir; while ! [ -d "$at" ]; do at=\${at%/*}; at=\${at:-/}; done
  echo "$(stat -L -c %d "$at") $(stat -f -c '%a %b %S' "$at") $dir"
done`,
    files: `stat -L -c '%s %n' ${quote(filesForRole({ dir: '', lock: target.lock }, target.host.role).map((file) => file.path))} 2>/dev/null; true`,
    blobs: `ls ${CONTENT} 2>/dev/null; true`,
  }),
  judge: (subject) => {
    const present = new Map(
      linesOf(subject, 'files').map((line) => {
        const at = line.indexOf(' ');
        return [line.slice(at + 1), Number(line.slice(0, at))];
      }),
    );
    const brought = needsOf(subject, present, new Set(linesOf(subject, 'blobs')));
    const needs = [...brought, ...(subject.member ? storedOf(brought) : [])];
    const outcomes = fileSystems(linesOf(subject, 'space')).flatMap((fs) =>
      fileSystemOutcome(subject, fs, needs),
    );
    return outcomes.length > 0 ? outcomes : [ok('DiskSpace', 'room for everything that is to come')];
  },
});

function fileSystemOutcome(subject: Subject, fs: FileSystem, needs: readonly Need[]): Outcome[] {
  const here = needs.filter(
    ({ directory, sharedWith }) =>
      fs.directories.includes(directory) &&
      (sharedWith === undefined || !fs.directories.includes(sharedWith)),
  );
  // A member has its etcd data; its growth is not what an apply brings.
  const coming = here.filter(
    ({ directory }) =>
      !subject.member || directory !== memberSettings(subject.config.cluster, subject.host)?.dataDir,
  );
  const bytes = coming.reduce((sum, need) => sum + need.bytes, 0);
  const place = fs.directories.includes(CONTAINERD) ? CONTAINERD : (fs.directories[0] ?? '');
  const remedy = `free or add space on the filesystem of ${place}`;
  if (fs.freeBytes < bytes) {
    const message = `the filesystem of ${place} has ${mebibytes(fs.freeBytes)} free, ${mebibytes(bytes)} are needed`;
    return [error('DiskSpace', message, remedy)];
  }
  const thresholds = [
    ...(fs.directories.includes(KUBELET) ? [evictionBytes(subject, 'nodefs.available', fs.totalBytes)] : []),
    ...(fs.directories.includes(CONTAINERD)
      ? [evictionBytes(subject, 'imagefs.available', fs.totalBytes)]
      : []),
  ];
  const threshold = Math.max(0, ...thresholds);
  const left = fs.freeBytes - bytes;
  if (left >= threshold) return [];
  const message = `the filesystem of ${place} will have ${mebibytes(left)} free, below the ${mebibytes(threshold)} at which the kubelet evicts pods`;
  const say = subject.member ? warning : error;
  return [say('DiskSpace', message, `${remedy}, or lower evictionHard in KubeletConfiguration`)];
}

function mebibytes(bytes: number): string {
  return `${Math.floor(bytes / 1024 ** 2)} MiB`;
}
