import { imagesForRole } from '../../bundle/bundle.js';
import type { BundleImage } from '../../bundle/lock.js';
import type { Artefact, Target } from '../../engine/phase.js';
import type { ImageChange } from '../../engine/types.js';
import { ADDON_IMAGES, CONTROLLER_IMAGES, IMAGES, RUNTIME } from '../artefacts.js';
import { ON_DEMAND_IMAGES } from '../blobs.js';
import type { PhaseContext } from '../context.js';
import { defineHostPhase } from '../context.js';
import { hostBundle } from '../host-bundle.js';
import { verdictOf } from '../rendered.js';

/** Without these no API comes up; everything else can follow while it starts. */
const API_IMAGES = ['pause', 'etcd', 'kube-apiserver'];
const CONTROLLER_IMAGE_NAMES = ['kube-controller-manager', 'kube-scheduler'];

/** `REF TYPE DIGEST STATUS … UNPACKED` of every image that the kubelet can see. */
export const IMAGES_PROBE = 'ctr --namespace k8s.io images check 2>/dev/null; true';

/**
 * Images that containers can be made of, by reference, with their digests; from what IMAGES_PROBE said. An image that
 * lacks a layer and was not unpacked before is there by its name alone.
 */
export function usableImages(said: string): Map<string, string> {
  const lines = said.matchAll(/^(\S+)\s+\S+\s+(sha256:\S+)\s+(\S+)\s.*?(true|false)\s*$/gm);
  return new Map(
    [...lines].flatMap(([, reference = '', digest = '', status, unpacked]): [string, string][] =>
      status === 'complete' || unpacked === 'true' ? [[reference, digest]] : [],
    ),
  );
}

interface ImagesPhase {
  name: string;
  summary: string;
  target: Exclude<Target, 'cluster'>;
  provides: readonly Artefact[];
  wants: (image: BundleImage) => boolean;
}

function imagesPhase({ name, summary, target, provides, wants }: ImagesPhase) {
  const wanted = (context: PhaseContext, host: string) =>
    imagesForRole(hostBundle(context, host), context.hostNamed(host).role).filter(
      (image) => !ON_DEMAND_IMAGES.includes(image.name) && wants(image),
    );
  return defineHostPhase({
    name,
    summary,
    target,
    needs: [RUNTIME],
    provides,
    bulk: true,
    observe: () => ({ probes: { images: IMAGES_PROBE } }),
    plan: (context, host, seen) => {
      const present = usableImages(seen.probes.get('images')?.stdout ?? '');
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
}

/** Images in containerd before anything could want to pull them, in the order in which a cluster starts. */
export const imagePhases = [
  imagesPhase({
    name: 'images/control-plane',
    summary: 'images of etcd and the API server on control planes',
    target: 'control-planes',
    provides: [IMAGES],
    wants: (image) => API_IMAGES.includes(image.name),
  }),
  imagesPhase({
    name: 'images/controllers',
    summary: 'images of the controller manager and the scheduler on control planes',
    target: 'control-planes',
    provides: [CONTROLLER_IMAGES],
    wants: (image) => CONTROLLER_IMAGE_NAMES.includes(image.name),
  }),
  imagesPhase({
    name: 'images/addons',
    summary: 'images of add-ons and network on control planes',
    target: 'control-planes',
    provides: [ADDON_IMAGES],
    wants: (image) => ![...API_IMAGES, ...CONTROLLER_IMAGE_NAMES].includes(image.name),
  }),
  imagesPhase({
    name: 'images/etcd',
    summary: 'images of etcd on hosts of role etcd',
    target: 'etcd-hosts',
    provides: [IMAGES],
    wants: () => true,
  }),
  imagesPhase({
    name: 'images/worker',
    summary: 'images of workers',
    target: 'workers',
    provides: [IMAGES],
    wants: () => true,
  }),
];
