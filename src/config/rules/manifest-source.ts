import type { ChartInput, ObjectSourceInput, SourceInput } from '../resolve-manifests.js';

/** What is wrong with a source of manifests, or null. */
export function problemOf({ file, url, sha256 }: SourceInput): string | null {
  if ((file === undefined) === (url === undefined)) return 'give either file, or url with sha256';
  if (url !== undefined && sha256 === undefined)
    return 'a URL needs sha256, so that what is applied is what you looked at: curl -L URL | sha256sum';
  return file !== undefined && sha256 !== undefined ? 'sha256 is for a url' : null;
}

/** What is wrong with a source of objects, or null. */
export function objectProblemOf(source: ObjectSourceInput): string | null {
  const { file, url, sha256, kustomize, chart } = source;
  const given = [file, url, kustomize, chart].filter((one) => one !== undefined).length;
  if (given !== 1) return 'give one of file, url, kustomize and chart';
  if (chart !== undefined && sha256 !== undefined) return 'sha256 of a chart belongs into chart';
  if (kustomize !== undefined) return sha256 === undefined ? null : 'sha256 is for a url';
  return chart === undefined ? problemOf(source) : chartProblemOf(chart);
}

function chartProblemOf({ file, repository, name, version, sha256 }: ChartInput): string | null {
  if ((file === undefined) === (repository === undefined))
    return 'a chart has either file, or repository with name, version and sha256';
  const pinned = [name, version, sha256];
  if (file !== undefined)
    return pinned.every((one) => one === undefined)
      ? null
      : 'name, version and sha256 are for a chart of a repository';
  return pinned.every((one) => one !== undefined)
    ? null
    : 'a chart of a repository needs name, version and sha256 of its archive: helm pull, then sha256sum';
}
