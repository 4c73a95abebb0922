import type { ObjectSource } from '../../config/types.js';
import type { ManifestObject } from '../../manifests/parse-manifests.js';
import { carriedBy } from '../carried-manifests.js';
import { readManifests } from '../manifest-sources.js';
import { renderChart } from './chart.js';
import { buildKustomization } from './kustomization.js';
import type { Rendering } from './rendering.js';

/**
 * Objects of all sources, in their order: manifests as they are, kustomizations and charts rendered on this machine.
 * @throws CONFIG for what can't be read or rendered, CONNECTION for what can't be fetched, LOCAL_COMMAND where helm
 *   or kustomize is missing
 */
export async function readObjects(
  sources: readonly ObjectSource[],
  rendering: Rendering,
): Promise<ManifestObject[]> {
  const objects = await Promise.all(sources.map((source) => objectsOf(source, rendering)));
  return objects.flat();
}

function objectsOf(source: ObjectSource, rendering: Rendering): Promise<ManifestObject[]> {
  if ('chart' in source) return renderChart(source.chart, rendering);
  if ('kustomize' in source) return buildKustomization(source.kustomize, rendering);
  return readManifests([source], rendering.signal, carriedBy(rendering));
}
