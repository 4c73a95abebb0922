import type { SourceInput } from '../resolve-manifests.js';

/** What is wrong with a source of manifests, or null. */
export function problemOf({ file, url, sha256 }: SourceInput): string | null {
  if ((file === undefined) === (url === undefined)) return 'give either file, or url with sha256';
  if (url !== undefined && sha256 === undefined)
    return 'a URL needs sha256, so that what is applied is what you looked at: curl -L URL | sha256sum';
  return file !== undefined && sha256 !== undefined ? 'sha256 is for a url' : null;
}
