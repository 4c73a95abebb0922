import { buildBundle } from '../bundle/build.js';
import type { Bundle } from '../bundle/bundle.js';
import type { ToolName } from '../bundle/helm.js';
import { installTools, missingTools, requireReady } from '../bundle/tools.js';
import { bundleLine, bundleProgress } from './bundle-progress.js';
import { cacheDir } from './cache.js';
import type { CliIO, GlobalOptions } from './command.js';

export interface BundleRequest {
  kubernetesVersion: string;
  outDir: string;
  /** Install missing build tools where this is root on Debian; otherwise they are named in an error. */
  installMissing: boolean;
  /** Programs for the operator's machine. */
  tools?: readonly ToolName[];
}

/** Checks tools and disk, installs what may be installed, builds, and shows progress on stderr. */
export async function buildBundleWithProgress(
  request: BundleRequest,
  io: CliIO,
  global: GlobalOptions,
): Promise<Bundle> {
  const { kubernetesVersion, outDir } = request;
  const cache = cacheDir(io);
  const write = bundleLine(io, global);
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
    tools: request.tools,
    signal: io.stop,
    onEvent: bundleProgress(io, global),
  });
}
