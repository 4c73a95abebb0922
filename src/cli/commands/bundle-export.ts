import { KeelsonError } from '../../errors/keelson-error.js';
import { ARCHIVE_OPTIONS, bundleArgument } from '../bundle-options.js';
import { defineCommand } from '../command.js';
import { archiveTarget, writeArchive } from '../write-archive.js';

export const command = defineCommand({
  name: 'bundle export',
  summary: 'a bundle as one file, to be carried over an air gap',
  details:
    'The same bundle gives the same file. A bill of materials (SPDX) is in it. Parts are put together by copying them into one directory.',
  arguments: '[dir]',
  options: {
    out: { flags: '--out <file>', description: 'the file to write, FILE.tar', kind: 'string' },
    ...ARCHIVE_OPTIONS,
  },
  run: async ({ args, options, io, global }) => {
    if (options.out === undefined)
      throw new KeelsonError('USAGE', 'no file was named', { hint: 'say --out FILE.tar' });
    const target = await archiveTarget({ ...options, out: options.out }, io);
    return writeArchive(await bundleArgument(args[0], io), target, io, global);
  },
});
