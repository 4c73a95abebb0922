import { absolutePath, type Surroundings } from './surroundings.js';
import type { ChartSource, ManifestSource, ObjectSource } from './types.js';

export interface SourceInput {
  file?: string | undefined;
  url?: string | undefined;
  sha256?: string | undefined;
}

export interface ChartInput {
  file?: string | undefined;
  repository?: string | undefined;
  name?: string | undefined;
  version?: string | undefined;
  sha256?: string | undefined;
  release?: string | undefined;
  namespace?: string | undefined;
  valuesFiles?: string[] | undefined;
  values?: Record<string, unknown> | undefined;
  apiVersions?: string[] | undefined;
}

export interface ObjectSourceInput extends SourceInput {
  kustomize?: string | undefined;
  chart?: ChartInput | undefined;
}

/** A source that a rule found right: `file`, or `url` with `sha256`. */
export function resolveSource(
  { file, url = '', sha256 = '' }: SourceInput,
  around: Surroundings,
): ManifestSource {
  return file === undefined ? { url, sha256 } : { file: absolutePath(file, around) };
}

/**
 * Sources that a rule found right.
 * @param release of charts that name none
 */
export function resolveObjectSources(
  inputs: readonly ObjectSourceInput[],
  release: string,
  around: Surroundings,
): ObjectSource[] {
  return inputs.map((input) => {
    if (input.kustomize !== undefined) return { kustomize: absolutePath(input.kustomize, around) };
    if (input.chart !== undefined) return { chart: resolveChart(input.chart, release, around) };
    return resolveSource(input, around);
  });
}

function resolveChart(input: ChartInput, release: string, around: Surroundings): ChartSource {
  const { file, repository = '', name = '', version = '', sha256 = '' } = input;
  return {
    from: file === undefined ? { repository, name, version, sha256 } : { file: absolutePath(file, around) },
    release: input.release ?? release,
    namespace: input.namespace ?? 'default',
    valuesFiles: (input.valuesFiles ?? []).map((path) => absolutePath(path, around)),
    values: input.values ?? {},
    apiVersions: input.apiVersions ?? [],
  };
}
