import { mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { KeelsonError } from '../errors/keelson-error.js';
import type { Component } from './cache.js';
import type { GoBuild, GoRecipe } from './recipes.js';
import { run } from './run.js';

/** The compilers, as they name themselves: part of every key, and recorded in the lock. */
export interface Toolchain {
  /** Path or name of the go program. */
  goProgram: string;
  go: string;
  gcc: string;
}

/**
 * What the environment must not decide. Sums are enforced by -mod=readonly and by the checked-in go.sum.
 * GOMODCACHE, GOCACHE and GOPROXY stay the machine's own.
 */
export const GO_ENVIRONMENT: Readonly<Record<string, string | undefined>> = {
  GOFLAGS: '-mod=readonly',
  GOWORK: 'off',
  GOOS: 'linux',
  GOARCH: 'amd64',
  GOAMD64: 'v1',
  GOEXPERIMENT: '',
  GODEBUG: undefined,
  CGO_CFLAGS: undefined,
  CGO_LDFLAGS: undefined,
};

/** Arguments of one `go build`, without output and packages. */
export function goBuildArguments(build: GoBuild, extraGoFlags: readonly string[] = []): string[] {
  const ldflags = ['-s', '-w', '-buildid=', ...(build.ldflags ?? [])].join(' ');
  const tags = build.tags === undefined ? [] : ['-tags', build.tags.join(',')];
  return ['build', '-trimpath', '-buildvcs=false', ...tags, '-ldflags', ldflags, ...extraGoFlags];
}

/** The h1 sum of a module in the text of a go.sum; '' where it is not listed. */
export function sumOf(goSum: string, module: string): string {
  const line = goSum
    .split('\n')
    .find((candidate) => candidate.startsWith(`${module} `) && !candidate.includes('/go.mod '));
  return line?.split(' ')[2] ?? '';
}

/** The folder of a component's module set. */
export function moduleFolder(modulesDir: string, recipe: Pick<GoRecipe, 'name' | 'version'>): string {
  return join(modulesDir, recipe.name === 'kubeadm' ? 'kubernetes' : recipe.name, recipe.version);
}

/**
 * A recipe as something to build.
 * @throws KeelsonError BUNDLE when the module set is missing
 */
export async function goComponent(
  recipe: GoRecipe,
  toolchain: Toolchain,
  modulesDir: string,
  extraGoFlags: readonly string[] = [],
): Promise<Component> {
  const folder = moduleFolder(modulesDir, recipe);
  const [goMod, goSum] = await Promise.all([
    readModuleFile(folder, 'go.mod'),
    readModuleFile(folder, 'go.sum'),
  ]);
  const cgo = recipe.builds.some((build) => build.cgo === true);
  return {
    name: recipe.name,
    version: recipe.version,
    module: recipe.module,
    sum: sumOf(goSum, recipe.module),
    estimateSeconds: recipe.estimateSeconds,
    inputs: [
      goMod,
      goSum,
      toolchain.go,
      cgo ? toolchain.gcc : '',
      JSON.stringify(recipe.builds),
      ...extraGoFlags,
    ],
    async build(into, progress, signal) {
      for (const build of recipe.builds) {
        await compile(build, folder, into, toolchain.goProgram, extraGoFlags, progress, signal);
      }
    },
  };
}

async function compile(
  build: GoBuild,
  folder: string,
  into: string,
  goProgram: string,
  extraGoFlags: readonly string[],
  progress: (detail: string) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  // Its own folder: go names binaries by their import paths, which need not be the names wanted.
  const output = await mkdtemp(join(into, '.out-'));
  try {
    await run(
      goProgram,
      [...goBuildArguments(build, extraGoFlags), '-v', '-o', `${output}/`, ...Object.keys(build.packages)],
      {
        cwd: folder,
        env: { ...GO_ENVIRONMENT, CGO_ENABLED: build.cgo === true ? '1' : '0' },
        signal,
        onLine: progress,
        hint: 'see the compiler output; the module proxy must be reachable for the first build',
      },
    );
    for (const [path, name] of Object.entries(build.packages)) {
      await rename(join(output, goBinaryName(path)), join(into, name));
    }
  } finally {
    await rm(output, { recursive: true, force: true });
  }
}

/** The name that `go build` gives: the last element of the import path that is no major version. */
export function goBinaryName(path: string): string {
  return basename(path.replace(/\/v\d+$/, ''));
}

async function readModuleFile(folder: string, name: string): Promise<string> {
  try {
    return await readFile(join(folder, name), 'utf8');
  } catch (cause) {
    throw new KeelsonError('BUNDLE', `there is no module set at ${folder}: ${name} is missing`, {
      hint: 'add it with scripts/add-kubernetes-version.mjs',
      cause,
    });
  }
}

/**
 * The toolchain as a module set gets it: go may switch to the version that go.mod asks for.
 * @param cgo whether anything is linked with C; without it gcc is not looked for, and ''
 * @throws KeelsonError LOCAL_COMMAND when go or gcc is missing
 */
export async function findToolchain(goProgram: string, moduleSet: string, cgo = true): Promise<Toolchain> {
  const [go, gcc] = await Promise.all([
    run(goProgram, ['env', 'GOVERSION'], { cwd: moduleSet, env: GO_ENVIRONMENT }),
    cgo ? run('gcc', ['-dumpfullversion'], { cwd: tmpdir() }) : '',
  ]);
  return { goProgram, go: go.trim(), gcc: gcc.trim() };
}
