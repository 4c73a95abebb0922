import * as z from 'zod';
import type { Path } from '../problems.js';
import { didYouMean, nearest } from '../suggest.js';

export interface Finding {
  path: Path;
  message: string;
  suggestion?: string | undefined;
  at: 'key' | 'value';
}

/**
 * A value checked by a schema: what it means, or everything that is wrong with it. Unknown keys come with
 * the nearest known one.
 */
export function check<S extends z.ZodType>(
  schema: S,
  value: unknown,
): { data: z.output<S> } | { findings: Finding[] } {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return { data: result.data };
  return { findings: withoutEchoes(result.error.issues.flatMap((issue) => findingsOf(schema, issue))) };
}

/** A required field that stands there misspelt is one mistake, not two. */
function withoutEchoes(findings: readonly Finding[]): Finding[] {
  const meant = new Set(
    findings
      .filter(({ at, suggestion }) => at === 'key' && suggestion !== undefined)
      .map(({ path, suggestion }) => JSON.stringify([...path.slice(0, -1), suggestion])),
  );
  return findings.filter(({ path, message }) => message !== 'required' || !meant.has(JSON.stringify(path)));
}

function findingsOf(schema: z.ZodType, issue: z.core.$ZodIssue): Finding[] {
  const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = keysAt(schema, path);
      return issue.keys.map((key) => {
        const suggestion = nearest(key, known);
        return {
          path: [...path, key],
          at: 'key',
          suggestion,
          message: `unknown field${didYouMean(suggestion)}`,
        };
      });
    }
    case 'invalid_key':
      return issue.issues.map((inner) => ({ path, at: 'key', message: inner.message }));
    case 'invalid_union': {
      const options = issue.errors.map((errors) => errors.flatMap((inner) => findingsOf(schema, inner)));
      const [first] = options.toSorted((a, b) => depth(b) - depth(a));
      return (first ?? []).map((finding) => ({ ...finding, path: [...path, ...finding.path] }));
    }
    case 'invalid_value': {
      if (issue.input === undefined) return [{ path, at: 'value', message: 'required' }];
      const values = issue.values.map(String).filter((option) => option !== '');
      const suggestion = nearest(String(issue.input), values);
      const message = `${show(issue.input)} is not one of ${values.join(', ')}${didYouMean(suggestion)}`;
      return [{ path, at: 'value', message, suggestion }];
    }
    case 'invalid_type':
      return [{ path, at: 'value', message: wrongType(issue.expected, issue.input) }];
    case 'too_small':
      return [{ path, at: 'value', message: `at least ${issue.minimum} is needed` }];
    case 'too_big':
      return [{ path, at: 'value', message: `at most ${issue.maximum} is allowed` }];
    default:
      return [{ path, at: 'value', message: lowered(issue.message) }];
  }
}

/** Of the branches of a union, the one that got furthest is the one that was meant. */
function depth(findings: readonly Finding[]): number {
  return Math.max(
    0,
    ...findings.map((finding) => finding.path.length + (finding.message.includes('expected') ? 0 : 0.5)),
  );
}

function wrongType(expected: string, input: unknown): string {
  if (input === undefined) return 'required';
  const quote = expected === 'string' && ['number', 'boolean'].includes(typeof input) ? ': quote it' : '';
  return `expected ${TYPES[expected] ?? expected}, found ${show(input)}${quote}`;
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
  record: 'a map',
};

function show(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (value !== null && typeof value === 'object') return 'a map';
  return JSON.stringify(value) ?? String(value);
}

const lowered = (message: string): string => message.charAt(0).toLowerCase() + message.slice(1);

/** Names of the fields that the schema has at a path. */
function keysAt(schema: z.ZodType, path: Path): string[] {
  let here: z.core.$ZodType | undefined = schema;
  for (const part of path) {
    here = unwrap(here);
    if (here instanceof z.ZodObject) here = here.shape[String(part)];
    else if (here instanceof z.ZodArray) here = here.element;
    else if (here instanceof z.ZodRecord) here = here.valueType;
    else return [];
  }
  here = unwrap(here);
  return here instanceof z.ZodObject ? Object.keys(here.shape) : [];
}

function unwrap(schema: z.core.$ZodType | undefined): z.core.$ZodType | undefined {
  let here = schema;
  for (;;) {
    if (here instanceof z.ZodOptional || here instanceof z.ZodDefault) here = here.unwrap();
    else if (here instanceof z.ZodPipe) here = here.in;
    else return here;
  }
}
