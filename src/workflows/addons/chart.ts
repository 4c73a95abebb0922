import { run } from '../../bundle/run.js';
import type { ChartSource } from '../../config/types.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { chartObjects } from '../../manifests/chart-objects.js';
import { jsonEqual } from '../../manifests/json.js';
import { type ManifestObject, parseManifests } from '../../manifests/parse-manifests.js';
import { chartArchive } from './chart-archive.js';
import { HELM_ENVIRONMENT, spokenReason } from './helm-run.js';
import type { Rendering } from './rendering.js';

const OWN = { dispose: async () => undefined };

/**
 * Objects of a chart, rendered here without asking any cluster.
 * @throws CONFIG for what helm refuses and for a chart that gives something else each time, CONNECTION where it
 *   can't be fetched
 */
export async function renderChart(chart: ChartSource, rendering: Rendering): Promise<ManifestObject[]> {
  const { from } = chart;
  const { file, dispose } =
    'file' in from ? { ...OWN, file: from.file } : await chartArchive(from, rendering);
  try {
    const helm = await rendering.helm();
    const [first, second] = await Promise.all([
      template(helm, file, chart, rendering),
      template(helm, file, chart, rendering),
    ]);
    const name = 'file' in from ? from.file : `${from.name} ${from.version}`;
    const objects = parseManifests(first, `the chart ${name}`);
    if (first !== second) refuseChanging(name, objects, parseManifests(second, `the chart ${name}`));
    return chartObjects(objects, chart.namespace);
  } finally {
    await dispose();
  }
}

async function template(
  helm: string,
  file: string,
  chart: ChartSource,
  { kubernetesVersion, signal }: Rendering,
): Promise<string> {
  const { release, namespace, valuesFiles, values, apiVersions } = chart;
  const args = [
    ...['template', release, file, '--namespace', namespace, '--include-crds'],
    ...['--kube-version', kubernetesVersion],
    ...apiVersions.flatMap((version) => ['--api-versions', version]),
    ...valuesFiles.flatMap((path) => ['--values', path]),
    ...['--values', '-'],
  ];
  try {
    return await run(helm, args, { env: HELM_ENVIRONMENT, input: JSON.stringify(values), signal });
  } catch (cause) {
    signal.throwIfAborted();
    throw new KeelsonError('CONFIG', `the chart ${file} can't be rendered: ${spokenReason(cause)}`, {
      cause,
      hint: `see it yourself: helm template ${release} ${file}, with the values of the cluster file`,
    });
  }
}

/** Where two renderings differ every plan would differ from the cluster, and every apply would change it. */
function refuseChanging(
  name: string,
  first: readonly ManifestObject[],
  second: readonly ManifestObject[],
): void {
  const changing = first.filter((object, index) => !jsonEqual(object, second[index]));
  if (changing.length === 0) return;
  const which = changing.map(({ kind, metadata }) => `${kind} ${metadata.name}`).join(', ');
  throw new KeelsonError('CONFIG', `the chart ${name} gives something else each time: ${which}`, {
    hint: 'it makes up passwords or certificates: give them as values, or render it once into a file and name that',
  });
}
