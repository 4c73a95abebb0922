import { defineCommand } from '../command.js';
import { labDriver, labRef } from '../lab-driver.js';
import { LAB_OPTIONS, labProgress } from '../lab-options.js';

export const command = defineCommand({
  name: 'lab stop',
  summary: 'cut a lab machine’s power',
  arguments: '<node>',
  options: LAB_OPTIONS,
  run: async ({ args, options, io, global }) => {
    const node = args[0] ?? '';
    const lab = labRef(io, options.name);
    const driver = await labDriver(io, lab);
    await driver.stop(lab, node, { onEvent: labProgress(io, global), signal: io.stop });
    return { data: { node }, text: '' };
  },
});
