import { filesForRole } from '../../bundle/bundle.js';
import { digestScript } from '../../engine/digests.js';
import { STATE_DIR } from '../../engine/journal.js';
import { keepStored, takeStored } from '../../engine/store.js';
import type { Host } from '../../host/types.js';
import { CONTAINERD_CONFIG, CONTAINERD_UNIT_PATH, CRICTL_CONFIG } from '../../manifests/containerd.js';
import { KUBELET_DROP_IN_PATH, KUBELET_UNIT_PATH } from '../../manifests/kubelet.js';
import { ETCD_KUBELET_DROP_IN_PATH } from '../../manifests/kubelet-standalone.js';
import type { PhaseContext } from '../../phases/context.js';
import { nearestBundle } from '../../phases/host-bundle.js';
import { KUBELET_FILES } from '../../phases/kubelet-files.js';
import { MANIFESTS_DIR } from '../../phases/paths.js';
import type { Hop } from './path.js';

/** What a host had before the step that it is in: text files under their paths, and which binaries were where. */
const PREVIOUS_DIR = `${STATE_DIR}/previous`;

export const STATIC_PODS = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler'] as const;
export type StaticPod = (typeof STATIC_PODS)[number];
export const manifestPath = (pod: StaticPod): string => `${MANIFESTS_DIR}/${pod}.yaml`;

const TEXT_FILES = [
  ...STATIC_PODS.map(manifestPath),
  ...KUBELET_FILES,
  KUBELET_UNIT_PATH,
  KUBELET_DROP_IN_PATH,
  ETCD_KUBELET_DROP_IN_PATH,
  CONTAINERD_CONFIG,
  CONTAINERD_UNIT_PATH,
  CRICTL_CONFIG,
];

/**
 * Arguments: the step, then paths. What was kept for the same step stays: by now the host may be half changed.
 * Prints `kept` where something was written; binaries come as lines in KEELSON_BINARIES.
 */
const KEEP_TEXTS = `set -e
umask 077
dir=${PREVIOUS_DIR}
step=$1
shift
[ "$(cat "$dir/step" 2>/dev/null)" = "$step" ] && exit 0
rm -rf "$dir.new"
mkdir -p "$dir.new/files"
for path in "$@"; do
  [ -f "$path" ] || continue
  mkdir -p "$dir.new/files/$(dirname "$path")"
  cp -p "$path" "$dir.new/files/$path"
done
cat > "$dir.new/binaries" <<KEELSON
$KEELSON_BINARIES
KEELSON
printf '%s' "$step" > "$dir.new/step"
rm -rf "$dir"
mv "$dir.new" "$dir"
echo kept
`;

/**
 * Arguments: paths of text files but manifests. Those that were kept come back, those that were not there go.
 * Prints the paths that changed. On a full disk a copy is a second name of the file that was kept.
 */
const RESTORE_TEXTS = `set -e
dir=${PREVIOUS_DIR}/files
for path in "$@"; do
  if [ -f "$dir$path" ]; then
    cmp -s "$dir$path" "$path" && continue
    cp -p "$dir$path" "$path.keelson" || { rm -f "$path.keelson"; ln "$dir$path" "$path.keelson"; }
    mv -f "$path.keelson" "$path"
    echo "$path"
  elif [ -f "$path" ]; then
    rm -f "$path"
    echo "$path"
  fi
done
`;

const stepOf = ({ from, to }: Hop) => `${from} ${to}`;

/** `digest mode path` of each binary that the host has of those of a bundle. */
async function binariesOn(context: PhaseContext, host: Host) {
  const files = filesForRole(nearestBundle(context, host.name), context.hostNamed(host.name).role);
  const seen = await host.read(
    { probes: { digests: digestScript(files.map(({ path }) => path)) } },
    { signal: context.signal },
  );
  const digests = new Map(
    (seen.probes.get('digests')?.stdout ?? '').split('\n').flatMap((line) => {
      const match = /^\\?([0-9a-f]{64}) [ *](.+)$/.exec(line);
      return match?.[1] === undefined || match[2] === undefined ? [] : [[match[2], match[1]] as const];
    }),
  );
  return files.flatMap(({ path, mode }) => {
    const sha256 = digests.get(path);
    return sha256 === undefined ? [] : [{ path, mode, sha256 }];
  });
}

/** Keeps what a host has before a step changes it, once a step. */
export async function keepPrevious(context: PhaseContext, host: Host, hop: Hop): Promise<void> {
  const binaries = await binariesOn(context, host);
  const list = binaries.map(({ sha256, mode, path }) => `${sha256} ${mode.toString(8)} ${path}`).join('\n');
  const { stdout } = await host.script(
    { name: 'upgrade/keep', text: KEEP_TEXTS, args: [stepOf(hop), ...TEXT_FILES] },
    { env: { KEELSON_BINARIES: list } },
  );
  if (stdout.toString().includes('kept')) await keepStored(host, binaries);
}

export interface Previous {
  /** Manifests of static pods as they were; those that were not there are missing. */
  manifests: ReadonlyMap<StaticPod, Buffer>;
  binaries: readonly { path: string; mode: number; sha256: string }[];
}

/** What was kept for a step; null where nothing was: then nothing was changed either. */
export async function previousOf(host: Host, hop: Hop): Promise<Previous | null> {
  const paths = STATIC_PODS.map((pod) => [pod, `${PREVIOUS_DIR}/files${manifestPath(pod)}`] as const);
  const seen = await host.read({
    files: [`${PREVIOUS_DIR}/step`, `${PREVIOUS_DIR}/binaries`, ...paths.map(([, path]) => path)],
  });
  const text = (path: string) => seen.files.get(path)?.content;
  if (text(`${PREVIOUS_DIR}/step`)?.toString() !== stepOf(hop)) return null;
  const manifests = new Map(
    paths.flatMap(([pod, path]) => {
      const content = text(path);
      return content === undefined ? [] : [[pod, content] as const];
    }),
  );
  const binaries = (text(`${PREVIOUS_DIR}/binaries`)?.toString() ?? '').split('\n').flatMap((line) => {
    const [, sha256, mode, path] = /^([0-9a-f]{64}) ([0-7]+) (.+)$/.exec(line) ?? [];
    return sha256 === undefined || mode === undefined || path === undefined
      ? []
      : [{ sha256, mode: Number.parseInt(mode, 8), path }];
  });
  return { manifests, binaries };
}

/**
 * Brings binaries and text files of a host back as they were kept, manifests left out.
 * @returns paths of text files that changed
 */
export async function restorePrevious(host: Host, previous: Previous): Promise<string[]> {
  await takeStored(host, previous.binaries);
  const manifests = STATIC_PODS.map(manifestPath);
  const { stdout } = await host.script({
    name: 'upgrade/restore',
    text: RESTORE_TEXTS,
    args: TEXT_FILES.filter((path) => !manifests.includes(path)),
  });
  return stdout
    .toString()
    .split('\n')
    .filter((line) => line !== '');
}

/** What was kept is of no use once the host is what it was: until the next try it may be changed. */
export const forgetPrevious = (host: Host): Promise<void> => host.remove([PREVIOUS_DIR]);
