import { archivedBlobs, imagesArchive } from '../bundle/archive.js';
import type { Bundle } from '../bundle/bundle.js';
import { imageIndex, OCI_LAYOUT } from '../bundle/image.js';
import type { BundleImage } from '../bundle/lock.js';
import { DELIVERED_DIR } from '../engine/store.js';
import type { ImageChange } from '../engine/types.js';
import { toKeelsonError } from '../errors/keelson-error.js';
import type { Host } from '../host/types.js';
import { REGISTRY_CONFIG_DIRECTORY } from '../manifests/containerd.js';
import { IMAGES_PROBE, usableImages } from '../phases/runtime/images.js';

const CTR = ['ctr', '--namespace', 'k8s.io'];

/** Keeps the kubelet's garbage collection from images that no container uses yet; prints what images there are. */
const PIN = `for reference in "$@"; do
  ${CTR.join(' ')} images label "$reference" io.cri-containerd.pinned=pinned >/dev/null || exit 1
done
${IMAGES_PROBE}
`;

/** Prints what containerd has (`content`) and what other hosts have passed on (`delivered`), by digest. */
const HELD = `${CTR.join(' ')} content list --quiet 2>/dev/null | sed 's/^sha256:/content /'
ls -1 ${DELIVERED_DIR} 2>/dev/null | sed 's/^/delivered /'
exit 0
`;

/**
 * Brings images into a host's containerd: from what other hosts have passed on to it, else streamed from here without
 * blobs that its content store has. Of these containerd may give up some meanwhile, if no image had them (those of a
 * broken-off import, or of images just removed): what is incomplete then is sent as a whole. They are pinned: nobody
 * could pull them again where they come from a bundle.
 */
export async function importImages(
  bundle: Bundle,
  host: Host,
  images: readonly ImageChange[],
  signal: AbortSignal,
): Promise<void> {
  const wanted = bundle.lock.images.filter((image) =>
    images.some((change) => change.reference === image.reference),
  );
  if (bundle.lock.imagesBy === 'host') return pullImages(host, wanted, signal);
  const held = await host.script({ name: 'images/held', text: HELD }, { signal });
  const lines = held.stdout.toString('utf8').split('\n');
  const of = (kind: string) =>
    new Set(lines.flatMap((line) => (line.startsWith(`${kind} `) ? [line.slice(kind.length + 1)] : [])));
  const present = of('content');
  const delivered = of('delivered');
  const isDelivered = (image: BundleImage) =>
    archivedBlobs([image], present).every(({ sha256 }) => delivered.has(sha256));
  const there = delivered.size === 0 ? [] : wanted.filter(isDelivered);
  const rest = wanted.filter((image) => !there.includes(image));
  if (there.length > 0) {
    const script = { name: 'images/import-delivered', text: importDelivered(bundle, there, present) };
    const { code } = await host.script(script, { timeoutMs: 0, signal, acceptCodes: [0, GONE] });
    // Another import has taken blobs that both need: containerd has them now.
    if (code === GONE) return importImages(bundle, host, images, signal);
  }
  const stream = async (sent: readonly BundleImage[], omitBlobs: ReadonlySet<string>) => {
    if (sent.length === 0) return;
    // The client-side import takes less than half the time of the transfer service's.
    await host.exec([...CTR, 'images', 'import', '--local', '-'], {
      stdin: imagesArchive(bundle, sent, { omitBlobs }),
      timeoutMs: 0,
      signal,
    });
  };
  try {
    await stream(rest, present);
  } catch (thrown) {
    const error = toKeelsonError(thrown);
    if (error.code !== 'REMOTE_COMMAND' || present.size === 0) throw error;
    await stream(rest, new Set());
  }
  const usable = await pin(host, wanted, signal);
  await stream(
    wanted.filter(({ reference }) => !usable.has(reference)),
    new Set(),
  );
}

/** @returns images that containers can be made of */
async function pin(host: Host, images: readonly BundleImage[], signal: AbortSignal) {
  const args = images.map((image) => image.reference);
  const { stdout } = await host.script({ name: 'images/pin', text: PIN, args }, { signal });
  return usableImages(stdout.toString('utf8'));
}

/** Exit code where a blob is not there any more. */
const GONE = 7;

/** Makes an OCI layout of delivered blobs, imports it, and then gives up what no other image may need. */
function importDelivered(
  bundle: Bundle,
  images: readonly BundleImage[],
  present: ReadonlySet<string>,
): string {
  const blobs = archivedBlobs(images, present).map(({ sha256 }) => sha256);
  const index = imageIndex(images, bundle.lock.architecture).toString('utf8');
  return `set -e
umask 077
cd ${DELIVERED_DIR}
layout=$(mktemp -d .import-XXXXXXXX)
trap 'rm -rf "$layout"' EXIT
trap 'exit 1' HUP INT TERM PIPE
mkdir -p "$layout/blobs/sha256"
cat >"$layout/oci-layout" <<'KEELSON-END'
${OCI_LAYOUT.toString('utf8')}
KEELSON-END
cat >"$layout/index.json" <<'KEELSON-END'
${index}
KEELSON-END
for blob in ${blobs.join(' ')}; do ln "$blob" "$layout/blobs/sha256/$blob" 2>/dev/null || exit ${GONE}; done
tar -c -C "$layout" -f - oci-layout index.json blobs | ${CTR.join(' ')} images import --local - >&2
for blob in ${blobs.join(' ')}; do rm -f "$blob"; done
`;
}

/** Lets a host pull images by digest, and then name them as manifests do. Mirrors are as containerd has them. */
async function pullImages(host: Host, images: readonly BundleImage[], signal: AbortSignal): Promise<void> {
  for (const { reference, digest } of images) {
    const pinned = `${reference.slice(0, reference.lastIndexOf(':'))}@${digest}`;
    const options = { timeoutMs: 0, signal };
    await host.exec([...CTR, 'images', 'pull', '--hosts-dir', REGISTRY_CONFIG_DIRECTORY, pinned], options);
    await host.exec([...CTR, 'images', 'tag', '--force', pinned, reference], options);
    await host.exec([...CTR, 'images', 'remove', pinned], options);
  }
}
