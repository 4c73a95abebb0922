import { helmProgram } from './helm-program.js';
import { type KustomizeCommand, kustomizeCommand } from './kustomize-program.js';
import type { RenderingOptions } from './rendering-options.js';

/** What sources of objects are read and rendered with; programs are looked for once, and only if they are needed. */
export interface Rendering extends RenderingOptions {
  helm: () => Promise<string>;
  kustomize: () => Promise<KustomizeCommand>;
}

export function rendering(options: RenderingOptions): Rendering {
  let helm: Promise<string> | undefined;
  let kustomize: Promise<KustomizeCommand> | undefined;
  return {
    ...options,
    helm: () => {
      helm ??= helmProgram(options);
      return helm;
    },
    kustomize: () => {
      kustomize ??= kustomizeCommand(options);
      return kustomize;
    },
  };
}
