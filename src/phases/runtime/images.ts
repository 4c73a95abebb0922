import { imagesForRole } from '../../bundle/bundle.js';
import type { ImageChange } from '../../engine/types.js';
import { IMAGES, RUNTIME } from '../artefacts.js';
import type { PhaseContext } from '../context.js';
import { defineHostPhase } from '../context.js';
import { verdictOf } from '../rendered.js';

/** The probe image is only brought by `verify`, when it is needed. */
const ON_DEMAND = ['agnhost'];

/** `REF TYPE DIGEST SIZE …` of every image that the kubelet can see. */
const IMAGES_PROBE = 'ctr --namespace k8s.io images list 2>/dev/null; true';

function wanted(context: PhaseContext, host: string) {
  return imagesForRole(context.bundle, context.hostNamed(host).role).filter(
    (image) => !ON_DEMAND.includes(image.name),
  );
}

export const images = defineHostPhase({
  name: 'runtime/images',
  summary: 'images of the host’s role in containerd, so that nothing is pulled later',
  target: 'all',
  needs: [RUNTIME],
  provides: [IMAGES],
  observe: () => ({ probes: { images: IMAGES_PROBE } }),
  plan: (context, host, seen) => {
    const present = new Map<string, string>();
    for (const line of (seen.probes.get('images')?.stdout ?? '').split('\n')) {
      const [reference, , digest] = line.split(/\s+/);
      if (reference !== undefined && digest !== undefined) present.set(reference, digest);
    }
    const changes = wanted(context, host)
      .filter((image) => present.get(image.reference) !== image.digest)
      .map(
        (image): ImageChange => ({
          kind: 'image',
          reference: image.reference,
          digest: image.digest,
          size: image.blobs.reduce((sum, blob) => sum + blob.size, 0),
          reason: present.has(image.reference)
            ? `${image.reference} is another image`
            : `${image.reference} is missing`,
        }),
      );
    return verdictOf(changes);
  },
});
