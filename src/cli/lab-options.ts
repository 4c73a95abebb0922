import { join } from 'node:path';
import type { LabEvent } from '../lab/types.js';
import { duration } from '../report/table.js';
import { cacheDir } from './cache.js';
import type { CliIO, GlobalOptions } from './command.js';

/** Every lab command takes the lab's name. */
export const LAB_OPTIONS = {
  name: { flags: '--name <name>', description: 'name of the lab', kind: 'string', default: 'lab' },
} as const;

/** `.keelson/lab/<name>` below the current directory: cluster.yaml, keys, kubeconfig. */
export function labDirectory(io: CliIO, name: string): string {
  return join(io.cwd, '.keelson', 'lab', name);
}

/** Bases of lab machines, shared by all labs of this user. */
export function labCacheDir(io: CliIO): string {
  return join(cacheDir(io), 'lab-base');
}

/** Writes what happens in a lab as lines on stderr. */
export function labProgress(io: CliIO, global: GlobalOptions): (event: LabEvent) => void {
  return (event) => {
    if (global.logFormat === 'json') {
      io.stderr.write(`${JSON.stringify({ type: 'lab', ...event })}\n`);
      return;
    }
    const line = lineOf(event);
    if (line !== null) io.stderr.write(`lab: ${line}\n`);
  };
}

function lineOf(event: LabEvent): string | null {
  switch (event.kind) {
    case 'base':
      return `machine base: ${event.message} (${duration(event.durationMs)})`;
    case 'host-changed':
    case 'driver':
      return event.message;
    case 'network':
      return `network ${event.subnet} on bridge ${event.bridge}`;
    case 'node':
      return event.state === 'ready' || event.state === 'stopped'
        ? `${event.node} ${event.state} (${duration(event.durationMs)})`
        : null;
    case 'cluster-file':
      return `${event.path} ${event.outcome}`;
    case 'removed':
      return `removed ${event.what}`;
  }
}
