import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { blobPath } from '../bundle/bundle.js';
import type { RenderingOptions } from './addons/rendering-options.js';
import type { CarriedText } from './manifest-sources.js';

/** Manifests that a bundle carries. Where there is no bundle, or it has another content than its lock says, none are. */
export function carriedBy({ bundle }: Pick<RenderingOptions, 'bundle'>): CarriedText {
  return async (sha256) => {
    const found = bundle();
    if (found === null || !(found.lock.manifests ?? []).some((manifest) => manifest.sha256 === sha256))
      return null;
    const bytes = await readFile(blobPath(found, sha256)).catch(() => null);
    const isIt = bytes !== null && createHash('sha256').update(bytes).digest('hex') === sha256;
    return isIt ? bytes.toString('utf8') : null;
  };
}
