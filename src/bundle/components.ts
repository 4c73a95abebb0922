import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type BuiltComponent, buildComponent, type Component, cachedComponent, outputOf } from './cache.js';
import { debianComponent } from './debian-component.js';
import type { BundleEvent, OnBundleEvent } from './events.js';
import { findToolchain, goComponent, moduleFolder, type Toolchain } from './go-component.js';
import { neededGoVersion, suitableGo } from './go-program.js';
import { packagedModulesDir } from './paths.js';
import { pauseComponent } from './pause-component.js';
import { type GoRecipe, goRecipes, kubeadmRecipe, kubernetesRecipe } from './recipes.js';
import { releaseFor } from './releases.js';

export interface ComponentOptions {
  /** With leading v. */
  kubernetesVersion: string;
  /** Default: the module sets of the package. */
  modulesDir?: string | undefined;
  /** Default `go`. */
  goProgram?: string | undefined;
  /** Added to every `go build`, for example `-p=1`; part of the cache's key. */
  extraGoFlags?: readonly string[] | undefined;
  signal?: AbortSignal | undefined;
}

/** All components of a release in build order, the longest first, and the toolchain that Kubernetes gets. */
export async function componentsOf(
  options: ComponentOptions,
): Promise<{ components: Component[]; toolchain: Toolchain }> {
  const { kubernetesVersion, modulesDir = packagedModulesDir(), extraGoFlags } = options;
  const release = releaseFor(kubernetesVersion);
  const recipes = goRecipes(kubernetesVersion, release);
  const toolchains = await toolchainsFor(recipes, options);
  const go = await Promise.all(
    recipes.map((recipe, index) => goComponent(recipe, at(toolchains, index), modulesDir, extraGoFlags)),
  );
  // Kubernetes is the first recipe, and pause comes from its module.
  const toolchain = at(toolchains, 0);
  const pause = await pauseComponent(kubernetesVersion, release.pause, toolchain, modulesDir);
  return { components: [...go, await debianComponent(), pause], toolchain };
}

/** One for each recipe: go may switch to the version that a go.mod asks for, so each module set is asked. */
async function toolchainsFor(recipes: readonly GoRecipe[], options: ComponentOptions): Promise<Toolchain[]> {
  const { modulesDir = packagedModulesDir(), goProgram = 'go', signal } = options;
  const folders = recipes.map((recipe) => moduleFolder(modulesDir, recipe));
  const program = await suitableGo(goProgram, await neededGoVersion(folders), signal);
  return Promise.all(folders.map((folder) => findToolchain(program, folder)));
}

function at<T>(values: readonly T[], index: number): T {
  const value = values[index];
  if (value === undefined) throw new Error(`nothing at ${index}`);
  return value;
}

/**
 * The real kubeadm of a version, built on its own where the whole component is not in the cache yet.
 * @returns path of the binary in the cache
 */
export async function buildKubeadm(
  options: ComponentOptions & { cacheDir: string; onEvent?: OnBundleEvent | undefined },
): Promise<string> {
  const {
    kubernetesVersion,
    cacheDir,
    onEvent,
    signal,
    modulesDir = packagedModulesDir(),
    extraGoFlags,
  } = options;
  const recipes = [kubernetesRecipe(kubernetesVersion), kubeadmRecipe(kubernetesVersion)];
  const toolchains = await toolchainsFor(recipes, options);
  const [whole, alone] = await Promise.all(
    recipes.map((recipe, index) => goComponent(recipe, at(toolchains, index), modulesDir, extraGoFlags)),
  );
  const cached = whole === undefined ? null : await cachedComponent(cacheDir, whole);
  if (cached !== null) return outputOf([cached], 'kubernetes', 'kubeadm').file;
  const built = await buildAll(cacheDir, alone === undefined ? [] : [alone], onEvent, signal);
  return outputOf(built, 'kubeadm', 'kubeadm').file;
}

/** A kubeadm of that version which the cache has from any build; null where it has none. Needs no compiler. */
export async function cachedKubeadm(cacheDir: string, kubernetesVersion: string): Promise<string | null> {
  const folder = join(cacheDir, 'components');
  const names = await readdir(folder).catch(() => []);
  const owner = names.find(
    (name) => /^kube(?:rnetes|adm)-/.test(name) && name.includes(`-${kubernetesVersion}-`),
  );
  return owner === undefined ? null : join(folder, owner, 'kubeadm');
}

/** Builds what the cache lacks, one after the other: go uses all cores by itself. */
export async function buildAll(
  cacheDir: string,
  components: readonly Component[],
  onEvent: OnBundleEvent = () => undefined,
  signal?: AbortSignal,
): Promise<BuiltComponent[]> {
  const cached = await Promise.all(components.map((component) => cachedComponent(cacheDir, component)));
  const built: BuiltComponent[] = [];
  let remainingSeconds = 0;
  for (const [index, component] of components.entries()) {
    if (cached[index] == null) remainingSeconds += component.estimateSeconds;
  }
  for (const [index, component] of components.entries()) {
    signal?.throwIfAborted();
    const { name, version, estimateSeconds } = component;
    const event = { kind: 'component', name, version } as const;
    const hit = cached[index];
    if (hit != null) {
      onEvent({ ...event, state: 'cached', seconds: 0 });
      built.push(hit);
      continue;
    }
    onEvent({ ...event, state: 'started', estimateSeconds, remainingSeconds });
    const begin = performance.now();
    built.push(
      await buildComponent(
        cacheDir,
        component,
        (detail) => onEvent({ ...event, state: 'progress', detail }),
        signal,
      ),
    );
    remainingSeconds -= estimateSeconds;
    onEvent({
      ...event,
      state: 'finished',
      seconds: (performance.now() - begin) / 1000,
    } satisfies BundleEvent);
  }
  return built;
}
