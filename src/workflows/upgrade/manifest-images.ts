import type { TaskPlan } from '../../engine/types.js';
import type { Host } from '../../host/types.js';
import { error, type Finding } from '../../phases/preflight/check.js';
import { IMAGES_PROBE, usableImages } from '../../phases/runtime/images.js';
import type { Session } from '../session.js';
import { manifestPath, STATIC_PODS } from './keep.js';

/** Images that the manifests of static pods which tasks write name. Pure. */
export function imagesOf(tasks: readonly TaskPlan[]): string[] {
  const manifests = tasks
    .flatMap(({ changes }) => changes)
    .flatMap((change) =>
      change.kind === 'file' &&
      STATIC_PODS.some((pod) => manifestPath(pod) === change.path) &&
      change.content?.kind === 'text'
        ? [change.content.text]
        : [],
    );
  const found = manifests.flatMap((text) =>
    [...text.matchAll(/^\s*(?:- )?image:\s*["']?([^\s"']+)/gm)].map(([, image = '']) => image),
  );
  return [...new Set(found)].sort();
}

/**
 * Images that new manifests of static pods name and neither the bundle nor their host has: a control plane that is
 * down must not wait for a registry. Reads only.
 */
export async function imageFindings(session: Session, tasks: readonly TaskPlan[]): Promise<Finding[]> {
  const { context, hosts } = session;
  const bundled = context.bundle.lock.images.map(({ reference }) => reference);
  const found = await Promise.all(
    context.inventory.map(async ({ name }) => {
      const wanted = imagesOf(tasks.filter((task) => task.host === name)).filter(
        (image) => !bundled.includes(image),
      );
      const host = hosts.get(name);
      return wanted.length === 0 || host === undefined ? [] : missingOn(host, wanted);
    }),
  );
  return found.flat();
}

async function missingOn(host: Host, wanted: readonly string[]): Promise<Finding[]> {
  const seen = await host.read({ probes: { images: IMAGES_PROBE } });
  const present = [...usableImages(seen.probes.get('images')?.stdout ?? '').keys()];
  return wanted
    .filter((image) => !present.some((name) => name === image || name.endsWith(`/${image}`)))
    .map((image) => {
      const message = `the image ${image} of a static pod is neither in the bundle nor on the host`;
      const remedy = `correct its name, or bring it there first: ctr -n k8s.io images pull ${image}`;
      return { host: host.name, ...error('ManifestImage', message, remedy) };
    });
}
