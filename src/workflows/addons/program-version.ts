import { run } from '../../bundle/run.js';
import { KeelsonError } from '../../errors/keelson-error.js';

/**
 * The version that a program of this machine prints, without leading v; null where it is not there or says none.
 * kubectl's JSON tells its kustomize.
 */
export async function versionOf(
  program: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<string | null> {
  try {
    const printed = await run(program, args, { signal });
    const text = /"kustomizeVersion":\s*"([^"]+)"/.exec(printed)?.[1] ?? printed;
    return /\bv?(\d+\.\d+\.\d+)/.exec(text)?.[1] ?? null;
  } catch (error) {
    if (error instanceof KeelsonError && error.code === 'LOCAL_COMMAND') return null;
    throw error;
  }
}

/** `1.2.3` against `1.2.0`; false for null. */
export function versionAtLeast(version: string | null, least: string): boolean {
  if (version === null) return false;
  const numbers = (text: string) => text.split('.').map(Number);
  const [found, wanted] = [numbers(version), numbers(least)];
  const at = wanted.findIndex((number, index) => found[index] !== number);
  return at < 0 || (found[at] ?? 0) > (wanted[at] ?? 0);
}
