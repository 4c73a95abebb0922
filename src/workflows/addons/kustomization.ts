import { run } from '../../bundle/run.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { type ManifestObject, parseManifests } from '../../manifests/parse-manifests.js';
import { spokenReason } from './helm-run.js';
import type { Rendering } from './rendering.js';

/** Objects of a directory with a kustomization. @throws CONFIG for what kustomize refuses */
export async function buildKustomization(directory: string, rendering: Rendering): Promise<ManifestObject[]> {
  const { program, args } = await rendering.kustomize();
  const { signal } = rendering;
  try {
    const built = await run(program, [...args, directory], { signal });
    return parseManifests(built, `the kustomization ${directory}`);
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof KeelsonError && cause.code === 'CONFIG') throw cause;
    throw new KeelsonError(
      'CONFIG',
      `the kustomization ${directory} can't be built: ${spokenReason(cause)}`,
      {
        cause,
        hint: `see it yourself: kubectl kustomize ${directory}`,
      },
    );
  }
}
