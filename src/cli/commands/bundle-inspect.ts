import { architecturesOf, type BundleLock, locksByArchitecture } from '../../bundle/lock.js';
import { bytes, table } from '../../report/table.js';
import { bundleArgument, bundlePath } from '../bundle-options.js';
import { defineCommand } from '../command.js';

export const command = defineCommand({
  name: 'bundle inspect',
  summary: 'what a bundle holds',
  arguments: '[bundle]',
  options: {},
  run: async ({ args, io }) => {
    const dir = bundlePath(args[0], io);
    const { lock } = await bundleArgument(args[0], io);
    const architectures = architecturesOf(lock).join(' and ');
    const head = `${dir}: Kubernetes ${lock.kubernetesVersion}, ${architectures}, source ${lock.source}\n`;
    return { data: lock, text: `${head}${locksByArchitecture(lock).map(contents).join('')}` };
  },
});

/** What hosts of one architecture get of it. */
function contents(lock: BundleLock, index: number): string {
  const files = table(
    ['FILE', 'VERSION', 'SIZE', 'ROLES', 'SHA256'],
    lock.files.map((file) => [
      file.path,
      file.version,
      bytes(file.size),
      file.roles.join(','),
      file.sha256.slice(0, 16),
    ]),
  );
  const images = table(
    ['IMAGE', 'SIZE', 'ROLES', 'DIGEST'],
    lock.images.map((image) => [
      image.reference,
      bytes(image.blobs.reduce((sum, blob) => sum + blob.size, 0)),
      image.roles.join(','),
      image.digest.slice(0, 23),
    ]),
  );
  const tools = (lock.tools ?? []).map(
    ({ name, version, size }) => `${name} ${version} for the operator's machine, ${bytes(size)}\n`,
  );
  const more = tools.length === 0 ? '' : `\n${tools.join('')}`;
  return `\n${index === 0 ? '' : `${lock.architecture}\n`}${files}\n${images}${more}`;
}
