import { table } from '../../report/table.js';
import { listPhases } from '../../workflows/phase-selection.js';
import { defineCommand } from '../command.js';

export const command = defineCommand({
  name: 'phase list',
  summary: 'all phases in order, with needs and provisions',
  details: 'A group runs as one: keelson phase run certs.',
  options: {},
  run: async ({ global }) => {
    const data = listPhases();
    const text =
      global.output === 'wide'
        ? table(
            ['NAME', 'TARGET', 'NEEDS', 'PROVIDES', 'SUMMARY'],
            data.map((row) => [
              row.name,
              row.target,
              row.needs.join(',') || '-',
              row.provides.join(',') || '-',
              row.summary,
            ]),
          )
        : table(
            ['NAME', 'TARGET', 'SUMMARY'],
            data.map((row) => [row.name, row.target, row.summary]),
          );
    return { data, text };
  },
});
