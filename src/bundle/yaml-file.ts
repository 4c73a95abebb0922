import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import type { z } from 'zod';
import { KeelsonError } from '../errors/keelson-error.js';

/** The error for a file of the operator's that can't be taken as it is. */
export function refusedFile(file: string, problem: string, cause?: unknown): KeelsonError {
  return new KeelsonError('CONFIG', `${file}: ${problem}`, {
    cause,
    hint: 'see docs/bundles.md for its form',
  });
}

/**
 * A YAML file of the operator's, checked.
 * @throws KeelsonError CONFIG for a file that can't be read or is no YAML, or naming the field that is wrong
 */
export async function readYamlFile<S extends z.ZodType>(file: string, schema: S): Promise<z.output<S>> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw refusedFile(file, "can't be read", cause);
  });
  let data: unknown;
  try {
    data = parse(text);
  } catch (cause) {
    throw refusedFile(file, `is no YAML: ${(cause as Error).message.split('\n')[0]}`, cause);
  }
  const parsed = schema.safeParse(data);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw refusedFile(file, `${issue?.path.join('.') || '(root)'}: ${issue?.message}`);
}
