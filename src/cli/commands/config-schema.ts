import { configSchema } from '../../config/schema/json-schema.js';
import { defineCommand } from '../command.js';

export const command = defineCommand({
  name: 'config schema',
  summary: 'JSON Schema of the cluster file',
  details: 'Draft-7, one definition for each kind of document. Editors with a YAML language server read it.',
  options: {},
  run: async () => {
    const data = configSchema();
    return { data, text: JSON.stringify(data, null, 2) };
  },
});
