import type { BundleEvent, OnBundleEvent } from '../bundle/events.js';
import { bytes } from '../report/table.js';
import type { CliIO, GlobalOptions } from './command.js';

/** Writes a line about bundles on stderr. */
export function bundleLine(io: CliIO, global: GlobalOptions): (line: string) => void {
  return (text) => {
    io.stderr.write(
      global.logFormat === 'json' ? `${JSON.stringify({ type: 'bundle', text })}\n` : `bundle: ${text}\n`,
    );
  };
}

/** Writes what happens while a bundle is made as lines on stderr. */
export function bundleProgress(io: CliIO, global: GlobalOptions): OnBundleEvent {
  const write = bundleLine(io, global);
  return (event) => {
    const line = lineOf(event, global.verbose);
    if (line !== null) write(line);
  };
}

function lineOf(event: BundleEvent, verbose: boolean): string | null {
  switch (event.kind) {
    case 'component': {
      const name = `${event.name} ${event.version}`;
      if (event.state === 'started')
        return `${name}: building, about ${event.estimateSeconds} s (${minutes(event.remainingSeconds)} to go in all)`;
      if (event.state === 'progress') return verbose ? `${name}: ${event.detail}` : null;
      return event.state === 'cached'
        ? `${name}: from the cache`
        : `${name}: done in ${event.seconds.toFixed(0)} s`;
    }
    case 'unsigned':
      return `${event.url}: no signature is there, its checksum alone was looked at`;
    case 'image':
      return verbose ? `image ${event.reference} ${bytes(event.size)}` : null;
    case 'bundle':
      return `${event.dir}: ${event.files} files, ${event.images} images, ${bytes(event.bytes)}`;
  }
}

function minutes(seconds: number): string {
  return seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}
