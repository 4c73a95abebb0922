import { access, readdir, readFile, stat, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { KeelsonError } from '../errors/keelson-error.js';
import { goRecipes } from './recipes.js';
import { releaseFor } from './releases.js';
import { run } from './run.js';

interface MissingTool {
  /** What is missing, as a person would say it. */
  tool: string;
  purpose: string;
  /** Debian package that has it. */
  package: string;
}

interface DiskShortage {
  /** A path on the file system. */
  path: string;
  freeBytes: number;
  neededBytes: number;
}

export interface BuildReadiness {
  missing: readonly MissingTool[];
  /** Debian command that installs what is missing, as argv lists to run one after the other; [] where nothing is. */
  installCommands: readonly (readonly string[])[];
  /** True where those commands can be run: a Debian, or what derives from it. */
  debian: boolean;
  disk: readonly DiskShortage[];
}

type Probe = MissingTool & { present: (goProgram: string) => Promise<boolean> };

const PROBES: readonly Probe[] = [
  {
    tool: 'go',
    purpose: 'compiles the components',
    package: 'golang-go',
    present: (go) => runs(go, ['version']),
  },
  {
    tool: 'gcc',
    purpose: 'links runc, flannel and pause',
    package: 'gcc',
    present: () => runs('gcc', ['--version']),
  },
  {
    tool: 'libc6-dev',
    purpose: 'runc, flannel and pause are linked with it',
    package: 'libc6-dev',
    present: () => compiles('stdlib.h'),
  },
  {
    tool: 'pkg-config',
    purpose: 'finds libseccomp',
    package: 'pkg-config',
    present: () => runs('pkg-config', ['--version']),
  },
  {
    tool: 'libseccomp-dev',
    purpose: 'runc starts no pod without it',
    package: 'libseccomp-dev',
    present: () => compiles('seccomp.h'),
  },
  {
    tool: 'readelf',
    purpose: 'finds shared libraries',
    package: 'binutils',
    present: () => runs('readelf', ['--version']),
  },
  {
    tool: 'zstd',
    purpose: 'compresses image layers',
    package: 'zstd',
    present: () => runs('zstd', ['--version']),
  },
  {
    tool: 'CA certificates',
    purpose: 'the module proxy is reached over TLS',
    package: 'ca-certificates',
    present: () => exists('/etc/ssl/certs/ca-certificates.crt'),
  },
  {
    tool: 'dpkg-deb',
    purpose: 'unpacks system libraries',
    package: 'dpkg',
    present: () => runs('dpkg-deb', ['--version']),
  },
  {
    tool: 'apt-get',
    purpose: 'downloads system libraries',
    package: 'apt',
    present: () => runs('apt-get', ['--version']),
  },
  {
    tool: 'package lists',
    purpose: 'apt-get downloads by them',
    package: '',
    present: () => runs('apt-cache', ['show', 'iptables', 'busybox-static']),
  },
];

export interface ReadinessOptions {
  kubernetesVersion: string;
  cacheDir: string;
  /** Default `go`. */
  goProgram?: string | undefined;
}

/** What a build on this machine lacks: tools, and disk space for the components that the cache does not have. */
export async function missingTools(options: ReadinessOptions): Promise<BuildReadiness> {
  const { goProgram = 'go' } = options;
  const present = await Promise.all(PROBES.map((probe) => probe.present(goProgram)));
  const missing = PROBES.filter((_probe, index) => present[index] === false);
  return {
    missing: missing.map(({ tool, purpose, package: name }) => ({ tool, purpose, package: name })),
    installCommands: installCommands(missing),
    debian: await isDebian(),
    disk: await diskShortages(options),
  };
}

function installCommands(missing: readonly MissingTool[]): string[][] {
  if (missing.length === 0) return [];
  const packages = missing.map((tool) => tool.package).filter((name) => name !== '');
  const install = ['apt-get', 'install', '--yes', '--no-install-recommends', ...packages];
  return [['apt-get', 'update'], ...(packages.length === 0 ? [] : [install])];
}

/**
 * Nothing, when a build can begin.
 * @throws KeelsonError PREFLIGHT that names everything missing, with the command that installs it
 */
export function requireReady(readiness: BuildReadiness): void {
  const { missing, disk, debian } = readiness;
  const problems = [
    ...missing.map(({ tool, purpose }) => `${tool} is missing (${purpose})`),
    ...disk.map(
      (one) =>
        `${one.path} has ${gigabytes(one.freeBytes)} GB free of the ${gigabytes(one.neededBytes)} GB needed`,
    ),
  ];
  if (problems.length === 0) return;
  const command = readiness.installCommands.map((argv) => argv.join(' ')).join(' && ');
  const remedies = [
    ...(command === '' ? [] : [debian ? `as root: ${command}` : `install them; on Debian: ${command}`]),
    ...(disk.length === 0 ? [] : ['free disk space, or name another cache directory']),
  ];
  throw new KeelsonError('PREFLIGHT', `the bundle can't be built here: ${problems.join('; ')}`, {
    hint: remedies.join('; '),
    details: readiness,
  });
}

/** Runs the install commands; this process must be root on Debian. */
export async function installTools(
  readiness: BuildReadiness,
  options: { onLine?: (line: string) => void; signal?: AbortSignal } = {},
): Promise<void> {
  for (const [program = '', ...args] of readiness.installCommands) {
    await run(program, args, { ...options, env: { DEBIAN_FRONTEND: 'noninteractive' } });
  }
}

/** Bytes of one release's components, layers and bundle in the cache directory. */
const CACHE_BYTES = 2_000_000_000;
/** Other caches' sizes vary with what else was built. */
const MARGIN = 1.2;

async function diskShortages(options: ReadinessOptions): Promise<DiskShortage[]> {
  const { kubernetesVersion, cacheDir, goProgram = 'go' } = options;
  const cached = await readdir(join(cacheDir, 'components')).catch(() => []);
  const open = goRecipes(kubernetesVersion, releaseFor(kubernetesVersion)).filter(
    ({ name, version }) => !cached.some((folder) => folder.startsWith(`${name}-${version}-`)),
  );
  if (open.length === 0) return [];
  const [goCache = '', moduleCache = ''] = await goCaches(goProgram);
  const compile = open.reduce((sum, recipe) => sum + recipe.diskBytes, 0) * MARGIN;
  const needs = new Map<number, DiskShortage>();
  for (const [path, bytes] of [
    [goCache || cacheDir, compile],
    [cacheDir, CACHE_BYTES],
  ] as const) {
    const place = await existingParent(path);
    const [{ dev }, { bavail, bsize }] = await Promise.all([stat(place), statfs(place)]);
    const known = needs.get(dev);
    needs.set(dev, {
      path: known?.path ?? place,
      freeBytes: bavail * bsize,
      neededBytes: (known?.neededBytes ?? 0) + bytes,
    });
  }
  const short = [...needs.values()].filter((need) => need.freeBytes < need.neededBytes);
  // What Go's caches hold already needs no new space; measuring them takes a while, so only where it matters.
  const held = short.length === 0 ? 0 : await bytesUnder([goCache, moduleCache]);
  return short.filter((need) => need.freeBytes + held < need.neededBytes);
}

async function goCaches(goProgram: string): Promise<string[]> {
  const text = await run(goProgram, ['env', 'GOCACHE', 'GOMODCACHE'], { cwd: tmpdir() }).catch(() => '');
  return text.trim().split('\n');
}

async function bytesUnder(paths: readonly string[]): Promise<number> {
  const there = paths.filter((path) => path !== '');
  const text = await run('du', ['-skc', ...there]).catch(() => '');
  return Number(/^(\d+)\s+total$/m.exec(text)?.[1] ?? 0) * 1024;
}

async function existingParent(path: string): Promise<string> {
  let place = path;
  while (!(await exists(place)) && place !== dirname(place)) place = dirname(place);
  return place;
}

async function isDebian(): Promise<boolean> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return /^ID(?:_LIKE)?=.*debian/m.test(text);
}

async function runs(program: string, args: readonly string[]): Promise<boolean> {
  return run(program, args, { cwd: tmpdir() }).then(
    () => true,
    () => false,
  );
}

function compiles(header: string): Promise<boolean> {
  return runs('gcc', ['-fsyntax-only', '-include', header, '-x', 'c', '/dev/null']);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function gigabytes(bytes: number): string {
  return (bytes / 1e9).toFixed(1);
}
