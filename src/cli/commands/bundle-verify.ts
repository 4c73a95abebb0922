import { resolve } from 'node:path';
import { verifyBundle } from '../../bundle/verify.js';
import { bytes } from '../../report/table.js';
import { bundleDir, DEFAULT_KUBERNETES_VERSION } from '../cache.js';
import { defineCommand } from '../command.js';

export const command = defineCommand({
  name: 'bundle verify',
  summary: 'check every byte of a bundle',
  arguments: '[dir]',
  options: {},
  run: async ({ args, io }) => {
    const dir = args[0] === undefined ? bundleDir(io, DEFAULT_KUBERNETES_VERSION) : resolve(io.cwd, args[0]);
    const result = await verifyBundle(dir, io.stop);
    return {
      data: { dir, blobs: result.blobs, bytes: result.bytes },
      text: `${dir}: ${result.blobs} blobs, ${bytes(result.bytes)}, all as the lock says\n`,
    };
  },
});
