import type { Reporter } from './lines.js';
import { jsonLines, textLines } from './lines.js';

/** Above so many hosts the live view gives way to lines: it would be slower than the work. */
const LIVE_VIEW_HOSTS = 20;

export interface ReporterOptions {
  format: 'text' | 'json';
  verbose: boolean;
  /** A terminal that may be redrawn. */
  live: boolean;
  hosts: readonly string[];
  stream: NodeJS.WriteStream;
  /** Only JSON lines, where they were asked for: for commands that answer at once. */
  quiet?: boolean;
}

/** The reporter that fits: JSON lines, a live view on a terminal with few hosts, plain lines otherwise. */
export async function reporterFor(options: ReporterOptions): Promise<Reporter> {
  const write = (text: string) => {
    options.stream.write(text);
  };
  if (options.format === 'json') return jsonLines(write);
  if (options.quiet === true) return { event: () => undefined, close: async () => undefined };
  if (options.live && !options.verbose && options.hosts.length <= LIVE_VIEW_HOSTS) {
    const { liveView } = await import('./live.js');
    return liveView(options.hosts, options.stream);
  }
  return textLines(write, { verbose: options.verbose });
}
