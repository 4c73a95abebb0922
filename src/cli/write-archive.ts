import type { Bundle } from '../bundle/bundle.js';
import { writeBundleArchive } from '../bundle/carry/write.js';
import { bytes } from '../report/table.js';
import { bytesProgress, type SigningKey, signedPapers, signingKey, sizeOption } from './bundle-options.js';
import type { CliIO, CommandResult, GlobalOptions } from './command.js';
import { outputFile } from './output-path.js';

/** A bundle file that is to be written. */
export interface ArchiveTarget {
  /** As it was named. */
  out: string;
  /** Absolute. */
  file: string;
  /** Most bytes of a part; undefined for one file. */
  partBytes: number | undefined;
  key: SigningKey | null;
}

/**
 * What was asked for, looked at before the bundle is built or fetched.
 * @throws USAGE for a path that can't be written and a size that is none; PKI for a key that can't be read
 */
export async function archiveTarget(
  options: { out: string; split: string | undefined; signKey: string | undefined },
  io: CliIO,
): Promise<ArchiveTarget> {
  const file = await outputFile(options.out, io);
  const partBytes = sizeOption(options.split);
  return { out: options.out, file, partBytes, key: await signingKey(options.signKey, io) };
}

/** Writes a bundle as a file, or several, signed where a key is given. */
export async function writeArchive(
  bundle: Bundle,
  { out, file, partBytes, key }: ArchiveTarget,
  io: CliIO,
  global: GlobalOptions,
): Promise<CommandResult> {
  const written = await writeBundleArchive(bundle, {
    file,
    partBytes,
    papers: await signedPapers(bundle, key),
    onProgress: bytesProgress(out, io, global),
    signal: io.stop,
  });
  const lines = written.files.map((path) => `${path}\n`).join('');
  return {
    data: { ...written, kubernetesVersion: bundle.lock.kubernetesVersion },
    text: `${lines}${bytes(written.bytes)}, sha256 ${written.sha256}\n`,
  };
}
