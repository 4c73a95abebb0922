import { KeelsonError } from '../errors/keelson-error.js';

export type Path = readonly (string | number)[];

/** One thing that is wrong in a configuration, with its place in the text (both counted from 1). */
export interface Problem {
  /** As it was given; `<config>` for text without a file. */
  file: string;
  line: number;
  column: number;
  /** `spec.hosts[0].role`; '' for a whole document. */
  path: string;
  message: string;
  /** The known word that was probably meant. */
  suggestion?: string;
}

/** `spec.hosts[0].labels["a.b/c"]` */
export function formatPath(path: Path): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (!/^[A-Za-z_][\w-]*$/.test(part)) text += `[${JSON.stringify(part)}]`;
    else text += text === '' ? part : `.${part}`;
  }
  return text;
}

/** `cluster.yaml:3:5 spec.hosts[0].role: cause` */
function formatProblem(problem: Problem): string {
  const place = `${problem.file}:${problem.line}:${problem.column}`;
  return problem.path === ''
    ? `${place}: ${problem.message}`
    : `${place} ${problem.path}: ${problem.message}`;
}

/**
 * The CONFIG error of a list of problems, in the order of their places; `details` is that list.
 */
export function configError(problems: readonly Problem[]): KeelsonError {
  const sorted = problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
  return new KeelsonError('CONFIG', sorted.map(formatProblem).join('\n'), {
    details: sorted,
    hint: 'correct the configuration file; `keelson config schema` prints all fields',
  });
}
