import { KeelsonError } from '../../errors/keelson-error.js';
import type { Bundle } from '../bundle.js';
import { architecturesOf } from '../lock.js';
import { bundleId, papersOf } from '../papers.js';
import { carriedBlobs } from './contents.js';
import { renderDeltaHead } from './delta-head.js';
import { type WriteArchiveOptions, type WrittenArchive, writeBundleArchive } from './write.js';

/**
 * Writes what `to` has and `from` lacks; unpacked onto `from` it gives exactly `to`, its signature included.
 * @throws KeelsonError BUNDLE where they are for different architectures
 */
export async function writeDelta(
  from: Bundle,
  to: Bundle,
  options: Omit<WriteArchiveOptions, 'papers' | 'delta'>,
): Promise<WrittenArchive & { omittedBytes: number }> {
  const [before, after] = [from, to].map(({ lock }) => architecturesOf(lock).join(' and '));
  if (before !== after)
    throw new KeelsonError('BUNDLE', `${from.dir} is for ${before}, ${to.dir} for ${after}`, {
      hint: 'name two bundles of the same architectures',
    });
  const had = new Set(carriedBlobs(from.lock).map(({ sha256 }) => sha256));
  const shared = carriedBlobs(to.lock).filter(({ sha256 }) => had.has(sha256));
  const omit = new Set(shared.map(({ sha256 }) => sha256));
  const head = renderDeltaHead({
    base: bundleId((await papersOf(from)).lock),
    baseVersion: from.lock.kubernetesVersion,
    omitted: omit,
  });
  const written = await writeBundleArchive(to, {
    ...options,
    papers: await papersOf(to),
    delta: { head, omit },
  });
  return { ...written, omittedBytes: shared.reduce((sum, { size }) => sum + size, 0) };
}
