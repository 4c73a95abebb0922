import { defineCommand } from '../command.js';
import { labDriver, labRef } from '../lab-driver.js';
import { LAB_OPTIONS, labProgress } from '../lab-options.js';

export const command = defineCommand({
  name: 'lab start',
  summary: 'power a lab machine on again',
  arguments: '<node>',
  options: LAB_OPTIONS,
  run: async ({ args, options, io, global }) => {
    const node = args[0] ?? '';
    const lab = labRef(io, options.name);
    const driver = await labDriver(io, lab);
    await driver.start(lab, node, { onEvent: labProgress(io, global), signal: io.stop });
    return { data: { node }, text: '' };
  },
});
