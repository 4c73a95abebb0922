import { mkdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KeelsonError } from '../errors/keelson-error.js';

/**
 * Runs `work` while no other process changes the same lab; LOCKED where one does. A lock whose owner is gone
 * counts as none. An empty state root is removed afterwards.
 */
export async function withLabLock<T>(stateRoot: string, lab: string, work: () => Promise<T>): Promise<T> {
  await mkdir(stateRoot, { recursive: true, mode: 0o700 });
  const path = join(stateRoot, `${lab}.lock`);
  await acquire(path, lab);
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
    // Not empty: there are other labs.
    await rmdir(stateRoot).catch(() => {});
  }
}

async function acquire(path: string, lab: string): Promise<void> {
  const owner = await identity(process.pid);
  try {
    await writeFile(path, owner ?? '', { flag: 'wx', mode: 0o600 });
    return;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const holder = await readFile(path, 'utf8').catch(() => '');
  const pid = Number(holder.split(' ')[0]);
  if (pid > 0 && (await identity(pid)) === holder) {
    throw new KeelsonError('LOCKED', `process ${pid} is working on lab '${lab}'`, {
      hint: 'wait for it to end, or interrupt it',
    });
  }
  await rm(path, { force: true });
  await writeFile(path, owner ?? '', { flag: 'wx', mode: 0o600 });
}

/** `PID STARTTIME`: together they name one process even when numbers are used again; null for no process. */
async function identity(pid: number): Promise<string | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (stat === null) return null;
  // Field 22 of proc(5); the second field, in parentheses, may hold spaces.
  const startTime = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  return `${pid} ${startTime}`;
}
