import { Listr, ListrLogger, ProcessOutput } from 'listr2';
import { redact } from '../errors/redaction.js';
import type { Reporter } from './lines.js';
import { lineOf } from './lines.js';

interface Row {
  show: (text: string) => void;
  end: (error?: Error) => void;
}

/**
 * A live view on a terminal: one flat line a host (nested trees are slow), drawn by listr2 on `stream`.
 * @param hosts names of the hosts; cluster-wide tasks have a line of their own
 */
export function liveView(hosts: readonly string[], stream: NodeJS.WriteStream): Reporter {
  const rows = new Map<string, Row>();
  const failed = new Map<string, Error>();
  const logger = new ListrLogger({ processOutput: new ProcessOutput(stream, stream) });
  const list = new Listr(
    [...hosts, 'cluster'].map((host) => ({
      title: host,
      task: (_: unknown, task: { output: string; title: string }) =>
        new Promise<void>((resolve, reject) => {
          rows.set(host, {
            show: (text) => {
              task.output = text;
            },
            end: (error) => (error === undefined ? resolve() : reject(error)),
          });
        }),
    })),
    {
      concurrent: true,
      exitOnError: false,
      renderer: 'default',
      fallbackRenderer: 'simple',
      rendererOptions: { logger, collapseErrors: false, showErrorMessage: true },
    },
  );
  const drawn = list.run().catch(() => undefined);
  const last = new Map<string, string>();
  return {
    event: (event) => {
      const host = 'host' in event && event.host !== '' ? event.host : 'cluster';
      if (event.type === 'task-failed')
        failed.set(host, new Error(`${host}: ${event.phase}: ${redact(event.error.message)}`));
      const text = event.type === 'task-started' ? event.phase : lineOf(event, false);
      if (text === null) return;
      last.set(host, text);
      rows.get(host)?.show(redact(text));
    },
    close: async () => {
      for (const [host, row] of rows) row.end(failed.get(host));
      await drawn;
    },
  };
}
