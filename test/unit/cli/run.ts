import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { main } from '../../../src/cli/main.js';

export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** A folder that is gone after the test. */
export async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'keelson-cli-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Runs the command line in this process, with streams and a folder of its own. */
export async function keelson(
  argv: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<Ended> {
  const stdout: string[] = [];
  const stderr: string[] = [];
  const stream = (into: string[]) => ({
    isTTY: false,
    on: () => undefined,
    write: (text: string, done?: () => void) => {
      into.push(text);
      done?.();
      return true;
    },
  });
  const process = {
    stdout: stream(stdout),
    stderr: stream(stderr),
    stdin: { isTTY: false },
    env: options.env ?? {},
    cwd: () => options.cwd ?? tmpdir(),
    on: () => process,
    off: () => process,
  };
  const code = await main(argv, process as unknown as NodeJS.Process);
  return { code, stdout: stdout.join(''), stderr: stderr.join('') };
}
