import { absolutePath, type Surroundings } from './surroundings.js';
import type { ManifestSource } from './types.js';

export interface SourceInput {
  file?: string | undefined;
  url?: string | undefined;
  sha256?: string | undefined;
}

/** Sources that a rule found right: `file`, or `url` with `sha256`. */
export function resolveSources(inputs: readonly SourceInput[], around: Surroundings): ManifestSource[] {
  return inputs.map(({ file, url = '', sha256 = '' }) =>
    file === undefined ? { url, sha256 } : { file: absolutePath(file, around) },
  );
}
