import { labList } from '../../lab/status.js';
import { table } from '../../report/table.js';
import { defineCommand } from '../command.js';
import { labDriver, labRef } from '../lab-driver.js';
import { LAB_OPTIONS } from '../lab-options.js';

export const command = defineCommand({
  name: 'lab status',
  summary: 'machines of a lab',
  options: {
    ...LAB_OPTIONS,
    all: { flags: '--all', description: 'names of all labs on this computer', kind: 'boolean' },
  },
  run: async ({ options, io }) => {
    if (options.all) {
      const names = await labList();
      return {
        data: names,
        text: names.length === 0 ? 'no lab on this computer\n' : `${names.join('\n')}\n`,
      };
    }
    const lab = labRef(io, options.name);
    const driver = await labDriver(io, lab);
    const status = await driver.status(lab);
    const rows = status.nodes.map((node) => [node.name, node.role, node.address, node.state]);
    return { data: status, text: table(['NAME', 'ROLE', 'ADDRESS', 'STATE'], rows) };
  },
});
