import type { Bundle } from '../bundle/bundle.js';
import { writeBundleArchive } from '../bundle/carry/write.js';
import { bytes } from '../report/table.js';
import { bytesProgress, outputFile, signedPapers, sizeOption } from './bundle-options.js';
import type { CliIO, CommandResult, GlobalOptions } from './command.js';

/** Writes a bundle as a file, or several, signed where a key is given. */
export async function writeArchive(
  bundle: Bundle,
  options: { out: string; split: string | undefined; signKey: string | undefined },
  io: CliIO,
  global: GlobalOptions,
): Promise<CommandResult> {
  const file = await outputFile(options.out, io);
  const partBytes = sizeOption(options.split);
  const written = await writeBundleArchive(bundle, {
    file,
    partBytes,
    papers: await signedPapers(bundle, options.signKey, io),
    onProgress: bytesProgress(options.out, io, global),
    signal: io.stop,
  });
  const lines = written.files.map((path) => `${path}\n`).join('');
  return {
    data: { ...written, kubernetesVersion: bundle.lock.kubernetesVersion },
    text: `${lines}${bytes(written.bytes)}, sha256 ${written.sha256}\n`,
  };
}
