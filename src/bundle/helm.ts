import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Component } from './cache.js';
import { outputOf } from './cache.js';
import { buildAll, type ComponentOptions } from './components.js';
import type { OnBundleEvent } from './events.js';
import { findToolchain, goComponent, moduleFolder } from './go-component.js';
import { neededGoVersion, suitableGo } from './go-program.js';
import { packagedModulesDir } from './paths.js';
import type { GoRecipe } from './recipes.js';

/** The Helm that keelson brings; `modules/helm/` has its module set. */
const VERSION = 'v4.3.1';

/** Stamps are those of Helm's own Makefile. */
const RECIPE: GoRecipe = {
  name: 'helm',
  version: VERSION,
  module: 'helm.sh/helm/v4',
  estimateSeconds: 103,
  diskBytes: 1_200_000_000,
  builds: [
    {
      packages: { 'helm.sh/helm/v4/cmd/helm': 'helm' },
      ldflags: [
        `-X helm.sh/helm/v4/internal/version.version=${VERSION}`,
        '-X helm.sh/helm/v4/internal/version.metadata=',
        '-X helm.sh/helm/v4/internal/version.gitTreeState=clean',
      ],
    },
  ],
};

/** Programs that a bundle can have for the operator's machine. */
export const TOOLS = ['helm'] as const;
export type ToolName = (typeof TOOLS)[number];

type HelmOptions = Omit<ComponentOptions, 'kubernetesVersion'>;

/** Helm as something to build; it runs on the operator's machine only. */
export async function helmComponent(options: HelmOptions = {}): Promise<Component> {
  const { modulesDir = packagedModulesDir(), goProgram = 'go', extraGoFlags, signal } = options;
  const folder = moduleFolder(modulesDir, RECIPE);
  const program = await suitableGo(goProgram, await neededGoVersion([folder]), signal);
  return goComponent(RECIPE, await findToolchain(program, folder, false), modulesDir, extraGoFlags);
}

/** The helm that the cache has from any build; null where it has none. Needs no compiler. */
export async function cachedHelm(cacheDir: string): Promise<string | null> {
  const folder = join(cacheDir, 'components');
  const names = await readdir(folder).catch(() => []);
  const owner = names.find((name) => name.startsWith(`helm-${VERSION}-`));
  return owner === undefined ? null : join(folder, owner, 'helm');
}

/**
 * Compiles helm, unless the cache has it.
 * @returns its path in the cache
 * @throws LOCAL_COMMAND where it can't be compiled
 */
export async function buildHelm(
  options: HelmOptions & { cacheDir: string; onEvent?: OnBundleEvent | undefined },
): Promise<string> {
  const { cacheDir, onEvent, signal } = options;
  const built = await buildAll(cacheDir, [await helmComponent(options)], onEvent, signal);
  return outputOf(built, 'helm', 'helm').file;
}
