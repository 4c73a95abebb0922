import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { KeelsonError } from '../errors/keelson-error.js';

/**
 * Asks for a secret on the terminal without echoing it.
 * @param without what to do where there is no terminal
 */
export async function askSecret(prompt: string, without: string, process: NodeJS.Process): Promise<string> {
  if (process.stdin.isTTY !== true) {
    throw new KeelsonError('USAGE', `${prompt}: there is no terminal to ask on`, {
      hint: without,
    });
  }
  process.stderr.write(`${prompt}: `);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const reader = createInterface({ input: process.stdin, output: silent, terminal: true });
  try {
    return await new Promise<string>((resolve) => reader.question('', resolve));
  } finally {
    reader.close();
    process.stderr.write('\n');
  }
}

/**
 * Asks a question; only `yes` is a yes.
 * @param stop an interrupt while waiting is a no
 */
export async function confirm(
  question: string,
  process: NodeJS.Process,
  stop: AbortSignal,
): Promise<boolean> {
  if (process.stdin.isTTY !== true) {
    throw new KeelsonError('USAGE', 'there is no terminal to ask on', { hint: 'give --yes' });
  }
  const reader = createInterface({ input: process.stdin, output: process.stderr, terminal: true });
  try {
    const answer = await new Promise<string>((resolve) => {
      const no = () => resolve('');
      reader.once('SIGINT', no);
      reader.once('close', no);
      stop.addEventListener('abort', no, { once: true });
      reader.question(`${question} Type yes to go on: `, resolve);
    });
    return answer.trim().toLowerCase() === 'yes';
  } finally {
    reader.close();
  }
}
