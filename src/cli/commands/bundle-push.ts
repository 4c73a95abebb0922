import { pushBundle, pushTaggedImage } from '../../bundle/registry/artifact.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { bytes } from '../../report/table.js';
import { bundleArgument } from '../bundle-options.js';
import { bundleLine } from '../bundle-progress.js';
import { defineCommand } from '../command.js';
import { isOciTarget, withOciTarget } from '../oci-target.js';
import { WEB_OPTIONS } from '../web-options.js';

export const command = defineCommand({
  name: 'bundle push',
  summary: 'a bundle, or its images, into an OCI registry',
  details: `keelson bundle push ./bundle oci://registry.example/keelson/bundle:v1.36.3
With --images every image goes under its own name below the address, for hosts that pull by themselves:
keelson bundle push ./bundle oci://registry.example/mirror --images`,
  arguments: '<bundle> <address>',
  options: {
    images: {
      flags: '--images',
      description: 'the images alone, each under its own name and tag',
      kind: 'boolean',
    },
    ...WEB_OPTIONS,
  },
  run: async ({ args, options, io, global }) => {
    const [path, address] = args;
    if (address === undefined || !isOciTarget(address))
      throw new KeelsonError('USAGE', `${address ?? ''}: is no address of a registry`, {
        hint: 'write oci://registry.example/repository:tag',
      });
    const bundle = await bundleArgument(path, io);
    const write = bundleLine(io, global);
    let sent = 0;
    const onBlob = (sha256: string, size: number, isNew: boolean) => {
      if (isNew) sent += size;
      if (global.verbose) write(`${isNew ? 'sent' : 'there'} sha256:${sha256.slice(0, 16)} ${bytes(size)}`);
    };
    const settings = { signal: io.stop, onBlob };
    // A prefix has no tag of its own; the images bring theirs.
    const target = options.images ? `${address.replace(/\/+$/, '')}:images` : address;
    return withOciTarget(target, options.mirrors, io, async ({ registry, repository, tag }) => {
      if (!options.images) {
        const digest = await pushBundle(registry, bundle, { ...settings, repository, tag });
        return {
          data: { address, digest, sentBytes: sent },
          text: `${address}@${digest}, ${bytes(sent)} sent\n`,
        };
      }
      const names = [];
      for (const image of bundle.lock.images) {
        const at = image.reference.lastIndexOf(':');
        const own = `${repository}/${image.reference.slice(image.reference.indexOf('/') + 1, at)}`;
        await pushTaggedImage(registry, bundle, image.reference, {
          ...settings,
          repository: own,
          tag: image.reference.slice(at + 1),
        });
        names.push(`${own}:${image.reference.slice(at + 1)}`);
      }
      return {
        data: { address, images: names, sentBytes: sent },
        text: `${names.length} images below ${address}, ${bytes(sent)} sent\n`,
      };
    });
  },
});
