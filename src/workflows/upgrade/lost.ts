import { KeelsonError, toKeelsonError } from '../../errors/keelson-error.js';
import type { Step } from './run.js';

/** An error with what is left to do, where a host went away in the middle of a step; other errors as they are. */
export function withLostHost(
  { hop, direction }: Pick<Step, 'hop' | 'direction'>,
  thrown: unknown,
): KeelsonError {
  const error = toKeelsonError(thrown);
  const { host } = error;
  if (error.code !== 'CONNECTION' || host === undefined) return error;
  const message = `${host} was lost on the way from ${hop.from} to ${hop.to}, and the ${direction} stops: ${error.message}`;
  return new KeelsonError('CONNECTION', message, {
    host,
    phase: error.phase,
    hint: `bring ${host} back and run the same command again: it goes on there. If it never comes back, keelson node remove ${host} --unreachable takes it out; --host does the others meanwhile`,
    cause: error,
    details: error.details,
  });
}
