import { buildBundle } from '../bundle/build.js';
import type { Bundle } from '../bundle/bundle.js';
import type { BundleEvent } from '../bundle/events.js';
import { installTools, missingTools, requireReady } from '../bundle/tools.js';
import { bytes } from '../report/table.js';
import { cacheDir } from './cache.js';
import type { CliIO, GlobalOptions } from './command.js';

export interface BundleRequest {
  kubernetesVersion: string;
  outDir: string;
  /** Install missing build tools where this is root on Debian; otherwise they are named in an error. */
  installMissing: boolean;
}

/** Checks tools and disk, installs what may be installed, builds, and shows progress on stderr. */
export async function buildBundleWithProgress(
  request: BundleRequest,
  io: CliIO,
  global: GlobalOptions,
): Promise<Bundle> {
  const { kubernetesVersion, outDir } = request;
  const cache = cacheDir(io);
  const write = (line: string) => {
    io.stderr.write(
      global.logFormat === 'json'
        ? `${JSON.stringify({ type: 'bundle', text: line })}\n`
        : `bundle: ${line}\n`,
    );
  };
  const readiness = await missingTools({ kubernetesVersion, cacheDir: cache });
  if (
    readiness.missing.length > 0 &&
    readiness.debian &&
    request.installMissing &&
    process.getuid?.() === 0
  ) {
    write(`installing ${readiness.missing.map((tool) => tool.tool).join(', ')}`);
    await installTools(readiness, { signal: io.stop });
    requireReady(await missingTools({ kubernetesVersion, cacheDir: cache }));
  } else {
    requireReady(readiness);
  }
  return buildBundle({
    kubernetesVersion,
    cacheDir: cache,
    outDir,
    signal: io.stop,
    onEvent: (event) => {
      const line = lineOf(event, global.verbose);
      if (line !== null) write(line);
    },
  });
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
        : `${name}: built in ${event.seconds.toFixed(0)} s`;
    }
    case 'image':
      return verbose ? `image ${event.reference} ${bytes(event.size)}` : null;
    case 'bundle':
      return `${event.dir}: ${event.files} files, ${event.images} images, ${bytes(event.bytes)}`;
  }
}

function minutes(seconds: number): string {
  return seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}
