import { labDown } from '../../lab/down.js';
import { defineCommand } from '../command.js';
import { LAB_OPTIONS, labCacheDir, labDirectory, labProgress } from '../lab-options.js';

export const command = defineCommand({
  name: 'lab down',
  summary: 'remove a lab and everything it made',
  details: 'Also after a crash: what is left is found by name. Caches stay.',
  options: LAB_OPTIONS,
  run: async ({ options, io, global }) => {
    const spec = { name: options.name, directory: labDirectory(io, options.name), cacheDir: labCacheDir(io) };
    const removed = await labDown(spec, { onEvent: labProgress(io, global), signal: io.stop });
    return { data: { removed }, text: removed.length === 0 ? `there is no lab ${options.name}\n` : '' };
  },
});
