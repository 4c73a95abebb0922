import type { ActionChange } from '../../engine/types.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import type { Host } from '../../host/types.js';
import type { PhaseContext } from '../context.js';
import { renderedFor, SURROUNDINGS } from '../rendered.js';

/** The change that has a program look at its configuration before the file takes the place of the one before. */
export function validation(path: string): ActionChange {
  const summary = `let the host's own program validate the new ${path}`;
  return { kind: 'action', name: 'validate', summary, params: { path } };
}

/**
 * Puts what is to stand at `path` beside it, and lets `script` judge it.
 * @param script POSIX sh that gets the file as $1; anything but 0 is a no, said on stdout
 * @throws CONFIG with what the program says; nothing was replaced
 */
export async function validated(
  context: PhaseContext,
  host: Host,
  path: string,
  script: string,
): Promise<void> {
  const seen = await host.read({ ...SURROUNDINGS });
  const file = renderedFor(context, host.name, seen).get(path);
  if (file === undefined) throw new KeelsonError('BUG', `${path} is not rendered`, { host: host.name });
  const staged = `${path}.new`;
  await host.put([{ path: staged, content: Buffer.from(file.content), mode: file.mode }]);
  try {
    await host.script({ name: 'endpoint/validate', text: script, args: [staged] });
  } catch (error) {
    if (!(error instanceof KeelsonError) || error.code !== 'REMOTE_COMMAND') throw error;
    throw new KeelsonError('CONFIG', `${path} is not valid, and was not put in place`, {
      host: host.name,
      hint: 'the program of this host does not take it: see its words, and its version',
      details: error.details,
      cause: error,
    });
  } finally {
    await host.remove([staged]);
  }
}
