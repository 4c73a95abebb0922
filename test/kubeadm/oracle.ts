import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';

/** The Kubernetes versions that differential tests run against, newest first. */
export const ORACLE_VERSIONS = ['v1.36.3', 'v1.35.4', 'v1.34.4'] as const;
export type OracleVersion = (typeof ORACLE_VERSIONS)[number];

export interface KubeadmRun {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface KubeadmOptions {
  /** Working directory, and HOME of the process. */
  cwd: string;
  /** Accept a non-zero exit; default false: the promise rejects with the output. */
  acceptFailure?: boolean;
  /** Run it without any network, so that a dry run asks no server; default false. */
  offline?: boolean;
  /** Added to the environment, which is PATH and HOME only. */
  env?: Readonly<Record<string, string>>;
  /** Milliseconds until it is killed; default 60,000. */
  timeoutMs?: number;
}

/**
 * Where the real kubeadm of `version` (with leading v) is looked for: `$KEELSON_ORACLE_DIR/<version>/kubeadm`,
 * then the cache `${XDG_CACHE_HOME:-~/.cache}/keelson/oracle/<version>/kubeadm`. The first that exists, or null.
 */
function kubeadmPath(version: string, env: NodeJS.ProcessEnv = process.env): string | null {
  const cache = env.XDG_CACHE_HOME || join(homedir(), '.cache');
  const directories = [join(cache, 'keelson', 'oracle')];
  if (env.KEELSON_ORACLE_DIR) directories.unshift(env.KEELSON_ORACLE_DIR);
  for (const directory of directories) {
    const path = join(directory, version, 'kubeadm');
    if (existsSync(path)) return path;
  }
  return null;
}

export function kubeadmAvailable(version: string): boolean {
  return kubeadmPath(version) !== null;
}

/** Runs the real kubeadm of `version`; rejects with its output unless it exits with 0. */
export async function runKubeadm(
  version: string,
  args: readonly string[],
  options: KubeadmOptions,
): Promise<KubeadmRun> {
  const path = kubeadmPath(version);
  if (path === null) throw new Error(`kubeadm ${version} not found: set KEELSON_ORACLE_DIR`);
  const run = await new Promise<KubeadmRun>((resolve, reject) => {
    const [command = path, ...rest] = [...(options.offline ? offlinePrefix() : []), path, ...args];
    const child = spawn(command, rest, {
      cwd: options.cwd,
      env: { PATH: process.env.PATH ?? '/usr/bin:/bin', HOME: options.cwd, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: options.timeoutMs ?? 60_000,
      killSignal: 'SIGKILL',
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.on('error', reject);
    child.on('close', (code) =>
      resolve({ code, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() }),
    );
  });
  if (run.code !== 0 && !options.acceptFailure) {
    throw new Error(`kubeadm ${args.join(' ')} ended with ${run.code}\n${run.stdout}${run.stderr}`);
  }
  return run;
}

/** Runs `body` in a fresh temporary directory that is removed afterwards. */
export async function withOracleDirectory<T>(body: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'keelson-oracle-'));
  try {
    return await body(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** A network namespace of its own; without root's rights that takes a user namespace too. */
function offlinePrefix(): string[] {
  if (!existsSync('/usr/bin/unshare')) return [];
  return ['/usr/bin/unshare', ...(process.getuid?.() === 0 ? [] : ['--map-root-user']), '--net'];
}
