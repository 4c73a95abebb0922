import { addImages } from '../../bundle/add-image/add.js';
import { loadBundle } from '../../bundle/bundle.js';
import { isArchiveName } from '../../bundle/open.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { bytes } from '../../report/table.js';
import { bundlePath } from '../bundle-options.js';
import { defineCommand } from '../command.js';

export const command = defineCommand({
  name: 'bundle add-image',
  summary: 'put images of your own into a bundle',
  details:
    'Takes archives of docker save, podman save, skopeo copy (docker-archive, oci-archive) and ctr images export, gzipped or not. Hosts get the images with the next apply. A signature of the bundle is of what was in it before, and goes.',
  arguments: '<bundle> <archives...>',
  options: {
    role: {
      flags: '--role <role>',
      description: 'hosts that get them',
      kind: 'string',
      choices: ['all', 'control-plane', 'worker'],
      default: 'all',
    },
    reference: {
      flags: '--reference <reference>',
      description: 'REGISTRY/REPOSITORY:TAG, where the archive has another or none',
      kind: 'string',
    },
  },
  run: async ({ args, options, io }) => {
    const [dir = '', ...archives] = args.map((path) => bundlePath(path, io));
    if (isArchiveName(dir))
      throw new KeelsonError('USAGE', `${dir} is a file, whose content can't be changed`, {
        hint: 'unpack it with `keelson bundle import`, add the image, and export it again',
      });
    const roles = (['control-plane', 'worker'] as const).filter(
      (role) => options.role === 'all' || options.role === role,
    );
    const { added } = await addImages(await loadBundle(dir), archives, {
      roles,
      reference: options.reference,
      signal: io.stop,
    });
    const lines = added.map(
      ({ reference, blobs }) => `${reference}  ${bytes(blobs.reduce((sum, { size }) => sum + size, 0))}\n`,
    );
    return { data: { dir, added }, text: lines.join('') };
  },
});
