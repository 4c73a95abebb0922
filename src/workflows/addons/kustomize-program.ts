import { KeelsonError } from '../../errors/keelson-error.js';
import { bundleProgram } from './bundle-program.js';
import { versionAtLeast, versionOf } from './program-version.js';
import type { RenderingOptions } from './rendering-options.js';

export interface KustomizeCommand {
  program: string;
  /** What comes before the directory. */
  args: readonly string[];
}

/** kustomize 5, which kubectl has had since 1.27. */
const KUSTOMIZE = '5.0.0';

/**
 * What builds kustomizations: the kubectl of the bundle, else kustomize or kubectl of this machine.
 * @throws LOCAL_COMMAND where there is none
 */
export async function kustomizeCommand(options: RenderingOptions): Promise<KustomizeCommand> {
  const { cacheDir, signal } = options;
  const bundle = options.bundle();
  if (bundle !== null && cacheDir !== undefined) {
    const program = await bundleProgram(bundle, 'kubectl', cacheDir);
    if (program !== null) return { program, args: ['kustomize'] };
  }
  const alone = await versionOf('kustomize', ['version'], signal);
  if (versionAtLeast(alone, KUSTOMIZE)) return { program: 'kustomize', args: ['build'] };
  const within = await versionOf('kubectl', ['version', '--client', '--output', 'json'], signal);
  if (versionAtLeast(within, KUSTOMIZE)) return { program: 'kubectl', args: ['kustomize'] };
  throw new KeelsonError(
    'LOCAL_COMMAND',
    'a kustomization has to be built, and there is neither kustomize nor kubectl here',
    {
      hint: 'install kubectl 1.27 or kustomize 5, or newer ones; or run `kubectl kustomize` elsewhere and name the file',
    },
  );
}
