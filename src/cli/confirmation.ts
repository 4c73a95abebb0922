import { KeelsonError } from '../errors/keelson-error.js';
import type { CliIO, CommandResult } from './command.js';

interface Answers {
  /** Nobody is asked. */
  yes: boolean;
  /** Nothing is done. */
  dryRun?: boolean;
}

/**
 * To be called before anything else takes time.
 * @param why somebody has to be asked: `a restore replaces what etcd has`
 * @throws USAGE where someone would have to answer, and there is no terminal
 */
export function requireAnswer(
  { yes, dryRun = false }: Answers,
  io: CliIO,
  why: string,
  hint = 'look at it with --dry-run, then give --yes',
): void {
  if (dryRun || yes || io.terminal) return;
  throw new KeelsonError('USAGE', `${why}, and there is no terminal to ask on`, { hint });
}

interface Asking<P> {
  /** What would be done; changes nothing. */
  look: () => Promise<P>;
  text: (plan: P) => string;
  /** True where there is nothing to do, which ends the command. */
  nothing?: (plan: P) => boolean;
  question: (plan: P) => string;
  /** What to say where the answer is no: `nothing was restored`. */
  refused: string;
}

/**
 * Shows what would be done, and asks, unless that is not wanted.
 * @returns the result of a command that ends here; null where it goes on
 * @throws ABORTED where the answer is no
 */
export async function askFirst<P>(
  { yes, dryRun = false }: Answers,
  io: CliIO,
  { look, text, nothing, question, refused }: Asking<P>,
): Promise<CommandResult | null> {
  if (yes && !dryRun) return null;
  const plan = await look();
  const shown = text(plan);
  if (dryRun || nothing?.(plan) === true) return { data: plan, text: shown };
  io.stderr.write(shown);
  if (await io.confirm(question(plan))) return null;
  throw new KeelsonError('ABORTED', refused);
}
