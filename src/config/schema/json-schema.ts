import * as z from 'zod';
import { KINDS, SCHEMAS } from './kinds.js';

/** JSON Schema (draft-7) of every document of a configuration file, for editors. */
export function configSchema(): Record<string, unknown> {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'keelson configuration',
    description: 'One document of a keelson configuration file.',
    oneOf: KINDS.map((kind) => ({ $ref: `#/definitions/${kind}` })),
    definitions: Object.fromEntries(
      KINDS.map((kind) => {
        const { $schema: _, ...schema } = z.toJSONSchema(SCHEMAS[kind], { target: 'draft-7', io: 'input' });
        return [kind, schema];
      }),
    ),
  };
}
