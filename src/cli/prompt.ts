import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { KeelsonError } from '../errors/keelson-error.js';

/** Asks for a secret on the terminal without echoing it. */
export async function askSecret(prompt: string, process: NodeJS.Process): Promise<string> {
  if (process.stdin.isTTY !== true) {
    throw new KeelsonError('USAGE', `${prompt}: there is no terminal to ask on`, {
      hint: 'load the key into ssh-agent, or allow sudo without a password',
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
