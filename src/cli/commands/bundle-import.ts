import { unpackBundle } from '../../bundle/carry/unpack.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { bundleArgument, bundlePath, keysOption, PUBLIC_KEY_OPTION } from '../bundle-options.js';
import { defineCommand } from '../command.js';
import { outputDirectory } from '../output-path.js';

export const command = defineCommand({
  name: 'bundle import',
  summary: 'unpack a bundle file, every bit checked, into a directory',
  details:
    'Not needed before apply or lab up: both take the file itself. With --base a delta of `keelson bundle diff` is applied onto the bundle that it was made from.',
  arguments: '<file>',
  options: {
    out: {
      flags: '--out <dir>',
      description: 'bundle directory (default bundle)',
      kind: 'string',
      default: 'bundle',
    },
    base: { flags: '--base <path>', description: 'bundle that a delta is applied onto', kind: 'string' },
    ...PUBLIC_KEY_OPTION,
  },
  run: async ({ args, options, io }) => {
    const [file] = args;
    if (file === undefined) throw new KeelsonError('USAGE', 'no file was named');
    const dir = await outputDirectory(options.out, io);
    const base = options.base === undefined ? undefined : await bundleArgument(options.base, io);
    const bundle = await unpackBundle(bundlePath(file, io), {
      dir,
      base,
      keys: await keysOption(options.publicKey, io),
      signal: io.stop,
    });
    return { data: { dir: bundle.dir, lock: bundle.lock }, text: `${bundle.dir}\n` };
  },
});
