import { KeelsonError, toKeelsonError } from '../errors/keelson-error.js';
import type { PhaseContext } from './context.js';

/**
 * A guard of waits for what hosts do: a machine whose SSH connection is lost will not do it. A connection counts as
 * lost when it did not answer for 30 to 40 seconds.
 * @throws CONNECTION naming the hosts
 */
export function answering(context: PhaseContext, hosts: readonly string[]): () => Promise<void> {
  return async () => {
    const answers = await Promise.all(hosts.map((host) => lossOf(context, host)));
    const lost = hosts.filter((_, index) => answers[index] !== null);
    const [first] = answers.filter((answer) => answer !== null);
    if (first === undefined) return;
    throw new KeelsonError(
      'CONNECTION',
      `${lost.join(' and ')} can't be reached any more: ${first.message}`,
      {
        host: lost.length === 1 ? lost[0] : undefined,
        cause: first,
        hint: first.hint,
      },
    );
  };
}

/** Only a lost connection counts: a host that answers slowly, or with an error, is there. */
async function lossOf(context: PhaseContext, host: string): Promise<KeelsonError | null> {
  try {
    await context.reader(host).query(['true'], { signal: context.signal });
    return null;
  } catch (error) {
    const known = toKeelsonError(error);
    return known.code === 'CONNECTION' ? known : null;
  }
}
