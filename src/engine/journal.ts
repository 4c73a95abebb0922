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
  begin: (task: TaskPlan) => Promise<void>;
  finish: (task: TaskPlan) => Promise<void>;
}

/** A journal on each host that a task works on; cluster tasks write to `fallback` (the first control plane). */
export function hostJournal(options: {
  run: string;
  host: (name: string) => Host;
  fallback: string;
  now: () => number;
}): Journal {
  const append = async (task: TaskPlan, state: 'begun' | 'finished') => {
    const entry = {
      at: new Date(options.now()).toISOString(),
      run: options.run,
      phase: task.phase,
      state,
      changes: task.changes.map(trace),
    };
    const host = options.host(task.host === '' ? options.fallback : task.host);
    await host.script({ name: 'journal/append', text: APPEND, args: [JSON.stringify(entry)] });
  };
  return { begin: (task) => append(task, 'begun'), finish: (task) => append(task, 'finished') };
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
    case 'image':
      return { image: change.reference, digest: change.digest };
    case 'object':
      return { object: `${change.objectKind}/${change.namespace}/${change.name}`, op: change.op };
    case 'action':
      return { action: change.name, ...change.params };
  }
}
