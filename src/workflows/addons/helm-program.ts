import { buildHelm, cachedHelm } from '../../bundle/helm.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { bundleProgram } from './bundle-program.js';
import { versionAtLeast, versionOf } from './program-version.js';
import type { RenderingOptions } from './rendering-options.js';

/** Since 3.8 charts come out of OCI registries without an experiment. */
const OLDEST = '3.8.0';

const HINT = `install helm ${OLDEST} or newer, or put it in the bundle with \`keelson bundle build --with helm\``;

/**
 * The helm that renders charts: the bundle's, else this machine's, else one that is compiled into the cache.
 * @throws LOCAL_COMMAND where there is none and none can be compiled
 */
export async function helmProgram(options: RenderingOptions): Promise<string> {
  const { cacheDir, note, signal } = options;
  const bundle = options.bundle();
  if (bundle !== null && cacheDir !== undefined) {
    const program = await bundleProgram(bundle, 'helm', cacheDir);
    if (program !== null) return program;
  }
  const version = await versionOf('helm', ['version', '--template', '{{.Version}}'], signal);
  if (versionAtLeast(version, OLDEST)) return 'helm';
  const cached = cacheDir === undefined ? null : await cachedHelm(cacheDir);
  if (cached !== null) return cached;
  const why = version === null ? 'there is no helm here' : `helm ${version} is too old`;
  const go = await versionOf('go', ['version'], signal);
  if (cacheDir === undefined || go === null || process.platform !== 'linux')
    throw new KeelsonError('LOCAL_COMMAND', `a chart has to be rendered, and ${why}`, { hint: HINT });
  note(`${why}: compiling it, which takes some minutes the first time`);
  try {
    return await buildHelm({ cacheDir, signal });
  } catch (cause) {
    signal.throwIfAborted();
    throw new KeelsonError('LOCAL_COMMAND', `a chart has to be rendered, ${why}, and it can't be compiled`, {
      hint: HINT,
      cause,
    });
  }
}
