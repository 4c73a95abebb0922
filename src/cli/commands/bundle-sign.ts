import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SBOM_FILE } from '../../bundle/sbom.js';
import { SIGNATURE_FILE } from '../../bundle/signature.js';
import { writeWhole } from '../../bundle/store.js';
import { verifyBundle } from '../../bundle/verify.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { ARCHIVE_OPTIONS, bundlePath, signedPapers, signingKey } from '../bundle-options.js';
import { defineCommand } from '../command.js';

export const command = defineCommand({
  name: 'bundle sign',
  summary: 'sign a bundle directory with a key of yours',
  details:
    'Every blob is checked before. A file is signed as it is written: `keelson bundle export --sign-key`.',
  arguments: '[dir]',
  options: { key: { ...ARCHIVE_OPTIONS.signKey, flags: '--key <file>' } },
  run: async ({ args, options, io }) => {
    if (options.key === undefined)
      throw new KeelsonError('USAGE', 'no key was named', {
        hint: 'say --key FILE; keelson bundle keygen makes one',
      });
    const dir = bundlePath(args[0], io);
    if ((await stat(dir).catch(() => null))?.isFile() === true)
      throw new KeelsonError('USAGE', `${dir} is a file`, {
        hint: 'sign the directory, or say --sign-key when exporting',
      });
    const key = await signingKey(options.key, io);
    const { bundle } = await verifyBundle(dir, io.stop);
    const { sbom, signature } = await signedPapers(bundle, key);
    await writeWhole(join(dir, SBOM_FILE), sbom);
    await writeWhole(join(dir, SIGNATURE_FILE), signature ?? '');
    return { data: { dir }, text: `${dir}: signed\n` };
  },
});
