import { KeelsonError, toKeelsonError } from '../errors/keelson-error.js';

/**
 * Keeps the process alive when someone closes its output: an error of a stream without a listener ends it, in the
 * middle of whatever it does on hosts. What is lost of the progress on stderr is lost.
 */
export function surviveClosedOutput({ stdout, stderr }: Pick<NodeJS.Process, 'stdout' | 'stderr'>): void {
  for (const stream of [stdout, stderr]) stream.on('error', () => undefined);
}

/**
 * Writes a result to stdout and waits until it is out. A reader that has read enough, as `head` has, is no error.
 * @throws CONFIG where it can't be written, as on a full disk
 */
export async function printOut(stream: NodeJS.WriteStream, text: string): Promise<void> {
  if (text === '') return;
  try {
    await new Promise<void>((resolve, reject) => {
      stream.write(text, (error) => (error === null || error === undefined ? resolve() : reject(error)));
    });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'EPIPE' || code === 'ERR_STREAM_DESTROYED') return;
    const { message } = toKeelsonError(cause, 'stdout');
    throw new KeelsonError('CONFIG', `the result can't be written: ${message}`, {
      cause,
      hint: 'what the command did is done; send its output elsewhere to see it again',
    });
  }
}
