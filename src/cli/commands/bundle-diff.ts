import { writeDelta } from '../../bundle/carry/delta.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { bytes } from '../../report/table.js';
import { ARCHIVE_OPTIONS, bundleArgument, bytesProgress, sizeOption } from '../bundle-options.js';
import { defineCommand } from '../command.js';
import { outputFile } from '../output-path.js';

export const command = defineCommand({
  name: 'bundle diff',
  summary: 'a file with what one bundle has and another lacks',
  details:
    '`keelson bundle import DELTA.tar --base OLD --out NEW` gives exactly the new bundle, its signature included: sign that before.',
  arguments: '<old> <new>',
  options: {
    out: { flags: '--out <file>', description: 'the file to write, DELTA.tar', kind: 'string' },
    split: ARCHIVE_OPTIONS.split,
  },
  run: async ({ args, options, io, global }) => {
    const [from, to] = args;
    if (from === undefined || to === undefined || options.out === undefined)
      throw new KeelsonError('USAGE', 'two bundles and --out are needed', {
        hint: 'keelson bundle diff OLD NEW --out DELTA.tar',
      });
    const file = await outputFile(options.out, io);
    const partBytes = sizeOption(options.split);
    const written = await writeDelta(await bundleArgument(from, io), await bundleArgument(to, io), {
      file,
      partBytes,
      onProgress: bytesProgress(options.out, io, global),
      signal: io.stop,
    });
    const lines = written.files.map((path) => `${path}\n`).join('');
    return {
      data: written,
      text: `${lines}${bytes(written.bytes)}; ${bytes(written.omittedBytes)} of blobs come from ${from}\n`,
    };
  },
});
