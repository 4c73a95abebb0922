import type { Host } from '../host/types.js';
import type { Change, TaskPlan } from './types.js';

/** Directory of keelson's own state on a host. */
export const STATE_DIR = '/var/lib/keelson';
/** One JSON object a line: what was begun and what was finished. */
export const JOURNAL_PATH = `${STATE_DIR}/journal.jsonl`;

const APPEND = `set -e
umask 077
mkdir -p ${STATE_DIR}
printf '%s\\n' "$1" >> ${JOURNAL_PATH}
`;

export interface Journal {
  /** Resolves when it is written, since what follows may never come to say that it ended. */
  begin: (tasks: readonly TaskPlan[]) => Promise<void>;
  finish: (tasks: readonly TaskPlan[]) => Promise<void>;
}

/** A journal on each host that a task works on; cluster tasks write to `fallback` (the first control plane). */
export function hostJournal(options: {
  run: string;
  host: (name: string) => Host;
  fallback: string;
  now: () => number;
}): Journal {
  const append = async (tasks: readonly TaskPlan[], state: 'begun' | 'finished') => {
    const [first] = tasks;
    if (first === undefined) return;
    const at = new Date(options.now()).toISOString();
    const lines = tasks.map(({ phase, changes }) =>
      JSON.stringify({ at, run: options.run, phase, state, changes: changes.map(trace) }),
    );
    const host = options.host(first.host === '' ? options.fallback : first.host);
    await host.script({ name: 'journal/append', text: APPEND, args: [lines.join('\n')] });
  };
  return { begin: (tasks) => append(tasks, 'begun'), finish: (tasks) => append(tasks, 'finished') };
}

/** A change as the journal keeps it: what, which digest and which parameters, never content. */
function trace(change: Change): Record<string, string> {
  switch (change.kind) {
    case 'file':
      return {
        file: change.path,
        op: change.op,
        ...(change.content?.kind === 'blob' ? { sha256: change.content.sha256 } : {}),
      };
    case 'service':
      return { service: change.unit, op: change.op };
    case 'package':
      return { package: change.name, op: change.op };
    case 'image':
      return { image: change.reference, digest: change.digest };
    case 'object':
      return { object: `${change.objectKind}/${change.namespace}/${change.name}`, op: change.op };
    case 'action':
      return { action: change.name, ...change.params };
  }
}
