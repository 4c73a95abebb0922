import { defineCommand } from '../command.js';
import { labDriver, labRef } from '../lab-driver.js';
import { LAB_OPTIONS, labProgress } from '../lab-options.js';

export const command = defineCommand({
  name: 'lab down',
  summary: 'remove a lab and everything it made',
  details: 'Also after a crash: what is left is found by name. Caches stay.',
  options: {
    ...LAB_OPTIONS,
    forget: {
      flags: '--forget',
      description: 'also where Vagrant can’t remove its machines: they are named, and left behind',
      kind: 'boolean',
    },
  },
  run: async ({ options, io, global }) => {
    const lab = labRef(io, options.name);
    const driver = await labDriver(io, lab);
    const removed = await driver.down(lab, {
      onEvent: labProgress(io, global),
      signal: io.stop,
      forget: options.forget,
    });
    return { data: { removed }, text: removed.length === 0 ? `there is no lab ${options.name}\n` : '' };
  },
});
