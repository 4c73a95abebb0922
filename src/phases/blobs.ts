import type { BundleFile } from '../bundle/lock.js';
import { digestScript } from '../engine/digests.js';
import type { FileChange, ReadRequest, ReadResult } from '../engine/types.js';

/** Images of the bundle that only `verify` brings to a host, when it needs them. */
export const ON_DEMAND_IMAGES: readonly string[] = ['agnhost'];

/** What an operator finds on a node beside the kubelet; the cluster itself runs without. */
export const OPERATOR_TOOLS: readonly string[] = ['kubectl', 'kubeadm'];

/** Binaries that kubeadm's packages would bring; everything else in a bundle belongs to the runtime. */
export const KUBERNETES_BINARIES: readonly string[] = ['kubelet', ...OPERATOR_TOOLS];

/** Reads the digest of each file on the host itself; nothing of a binary crosses the wire. */
export function digestProbe(files: readonly BundleFile[]): Required<Pick<ReadRequest, 'stats' | 'probes'>> {
  const paths = files.map((file) => file.path);
  return { stats: paths, probes: { digests: digestScript(paths) } };
}

/** Changes that bring the bundle's files onto the host, those left out whose digest, mode and owner agree. */
export function blobChanges(files: readonly BundleFile[], seen: ReadResult): FileChange[] {
  const digests = new Map<string, string>();
  for (const line of (seen.probes.get('digests')?.stdout ?? '').split('\n')) {
    const match = /^\\?([0-9a-f]{64}) [ *](.+)$/.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined) digests.set(match[2], match[1]);
  }
  return files.flatMap((file): FileChange[] => {
    const state = seen.files.get(file.path);
    const present = digests.get(file.path);
    if (present === file.sha256 && state?.mode === file.mode && state.owner === 'root:root') return [];
    return [
      {
        kind: 'file',
        op: present === undefined ? 'create' : 'update',
        path: file.path,
        mode: file.mode,
        content: { kind: 'blob', sha256: file.sha256, size: file.size },
        reason:
          present === undefined
            ? `${file.path} is missing`
            : `${file.path} is not ${file.name} ${file.version}`,
      },
    ];
  });
}
