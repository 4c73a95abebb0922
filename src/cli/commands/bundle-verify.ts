import { stat } from 'node:fs/promises';
import type { Bundle } from '../../bundle/bundle.js';
import { readBundleArchive } from '../../bundle/carry/read.js';
import { isArchiveName, openBundle } from '../../bundle/open.js';
import { verifyBundle } from '../../bundle/verify.js';
import { presentHosts } from '../../config/inventory.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { bytes } from '../../report/table.js';
import { lackingFor, leavesPackagesToRepositories } from '../../workflows/bundle-complete.js';
import { bundlePath, keysOption, PUBLIC_KEY_OPTION } from '../bundle-options.js';
import { cacheDir } from '../cache.js';
import { clusterConfig } from '../cluster-options.js';
import type { CliIO } from '../command.js';
import { defineCommand } from '../command.js';

export const command = defineCommand({
  name: 'bundle verify',
  summary: 'check every byte of a bundle, and that a cluster needs nothing else',
  details:
    'Takes a directory or a file. With -c it proves that the bundle has every image that a manifest of that cluster mentions and every program, in each architecture that a host of the file states, and the packages that hosts are to install. A delta is checked as far as it goes without its base.',
  arguments: '[bundle]',
  options: {
    config: { flags: '-c, --config <file>', description: 'complete for this cluster file', kind: 'string' },
    ...PUBLIC_KEY_OPTION,
  },
  run: async ({ args, options, io }) => {
    const path = bundlePath(args[0], io);
    const keys = await keysOption(options.publicKey, io);
    const { bundle, blobs, size, signedBy } = await verified(path, keys, io);
    const lines = [`${path}: ${blobs} blobs, ${bytes(size)}, all as the lock says`];
    if (signedBy !== null) lines.push(`signed by ${signedBy}`);
    if (options.config !== undefined) {
      const config = await clusterConfig(options.config, io);
      const lacking = await lackingFor(config, await readable(bundle, path, keys, io), {
        signal: io.stop,
        cacheDir: cacheDir(io),
        note: (text) => io.stderr.write(`keelson: ${text}\n`),
      });
      if (lacking.length > 0)
        throw new KeelsonError(
          'BUNDLE',
          `${path} is not complete for ${config.name}: ${lacking.map(({ kind, name, neededBy: [user] }) => `${kind} ${name} (${user})`).join(', ')}`,
          {
            hint: 'build or pull a bundle of the version that the cluster file wants; images of your own go in with `keelson bundle add-image`',
            details: lacking,
          },
        );
      const hosts = presentHosts(config);
      const architectures = new Set(hosts.map((host) => host.architecture ?? bundle.lock.architecture));
      lines.push(
        `complete for the ${hosts.length} hosts of ${config.name}, ${[...architectures].join(' and ')}`,
      );
      if (leavesPackagesToRepositories(config, bundle))
        lines.push(
          'hosts that lack conntrack, iptables or the like ask their repositories: the bundle has no packages (--host-packages)',
        );
    }
    return { data: { path, blobs, bytes: size, signedBy }, text: `${lines.join('\n')}\n` };
  },
});

/** A bundle whose manifests and programs can be read: one in a file is unpacked for them, once, where apply looks too. */
async function readable(
  bundle: Bundle,
  path: string,
  keys: Awaited<ReturnType<typeof keysOption>>,
  io: CliIO,
): Promise<Bundle> {
  const { manifests = [], tools = [] } = bundle.lock;
  if (bundle.dir !== path || !isArchiveName(path) || manifests.length + tools.length === 0) return bundle;
  return openBundle(path, { cacheDir: cacheDir(io), keys, quick: true, signal: io.stop });
}

interface Verified {
  bundle: Bundle;
  blobs: number;
  size: number;
  signedBy: string | null;
}

async function verified(
  path: string,
  keys: Awaited<ReturnType<typeof keysOption>>,
  io: CliIO,
): Promise<Verified> {
  const found = await stat(path).catch(() => null);
  if (found?.isFile() !== true && !(found === null && isArchiveName(path))) {
    const result = await verifyBundle(path, io.stop, keys);
    return { bundle: result.bundle, blobs: result.blobs, size: result.bytes, signedBy: result.signedBy };
  }
  let blobs = 0;
  let size = 0;
  const head = await readBundleArchive(path, {
    keys,
    signal: io.stop,
    blob: async (blob, chunks) => {
      for await (const _ of chunks);
      blobs += 1;
      size += blob.size;
    },
  });
  return { bundle: { dir: path, lock: head.lock }, blobs, size, signedBy: head.signedBy };
}
