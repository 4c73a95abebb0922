import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

export const CLI = fileURLToPath(new URL('../../dist/bin/keelson.js', import.meta.url));

/** Working directory of all labs of one test run; `.ci/run` removes what a crash leaves in it. */
export const WORK = process.env.KEELSON_E2E_DIR ?? mkdtempSync(join(tmpdir(), 'keelson-e2e-'));

/** Milliseconds for one command of the CLI. */
const COMMAND_MS = 600_000;

/** Runs the built CLI as a user would; never rejects: the exit code is part of what is tested. */
export function keelson(args: readonly string[], options: { signal?: AbortSignal; timeoutMs?: number } = {}) {
  return execa('node', [CLI, ...args], {
    cwd: WORK,
    reject: false,
    timeout: options.timeoutMs ?? COMMAND_MS,
    forceKillAfterDelay: 1000,
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
  });
}

export interface E2eLab {
  name: string;
  directory: string;
  clusterFile: string;
  kubeconfig: string;
}

export function labNamed(name: string): E2eLab {
  const directory = join(WORK, '.keelson', 'lab', name);
  return {
    name,
    directory,
    clusterFile: join(directory, 'cluster.yaml'),
    kubeconfig: join(directory, 'kubeconfig'),
  };
}

/** Runs the CLI and throws with its output unless it exits with 0. */
export async function succeed(...args: string[]): Promise<string> {
  const result = await keelson(args);
  if (result.exitCode !== 0) {
    throw new Error(
      `keelson ${args.join(' ')} exited with ${result.exitCode}\n${result.stderr}\n${result.stdout}`,
    );
  }
  return result.stdout;
}

/** Brings a lab up; removes what an earlier run may have left first. */
export async function labUp(name: string, ...args: string[]): Promise<E2eLab> {
  await succeed('lab', 'down', '--name', name);
  await succeed('lab', 'up', '--name', name, ...args);
  return labNamed(name);
}

export async function labDown(name: string): Promise<void> {
  await succeed('lab', 'down', '--name', name);
}

/** A command on a lab machine; throws unless it exits with an accepted code. */
export async function onNode(
  lab: E2eLab,
  node: string,
  script: string,
  accept: readonly number[] = [0],
): Promise<string> {
  const result = await keelson(['lab', 'ssh', node, '--name', lab.name, '--', 'sh', '-c', script]);
  if (!accept.includes(result.exitCode ?? -1)) {
    throw new Error(`${node}: ${script}\nexited with ${result.exitCode}\n${result.stderr}\n${result.stdout}`);
  }
  return result.stdout;
}

/** kubectl from the bundle, with the lab's kubeconfig. */
export async function kubectl(lab: E2eLab, ...args: string[]): Promise<string> {
  const { stdout } = await execa(join(WORK, '.keelson', 'bin', 'kubectl'), [
    '--kubeconfig',
    lab.kubeconfig,
    // Labs have the same addresses, one after the other; kubectl remembers what it found at one.
    '--cache-dir',
    join(lab.directory, 'kubectl-cache'),
    ...args,
  ]);
  return stdout;
}

/** The etcd members as the one on `node` tells them. */
export async function etcdMembers(lab: E2eLab, node = 'cp1'): Promise<EtcdMember[]> {
  const pki = '/etc/kubernetes/pki/etcd';
  const credentials = `--cacert ${pki}/ca.crt --cert ${pki}/healthcheck-client.crt --key ${pki}/healthcheck-client.key`;
  const answer = await onNode(
    lab,
    node,
    `curl -sS --fail -m 10 ${credentials} -d '{"linearizable":true}' https://127.0.0.1:2379/v3/cluster/member/list`,
  );
  const { members } = JSON.parse(answer) as { members: { name?: string; isLearner?: boolean }[] };
  return members
    .map(({ name = '', isLearner = false }) => ({ name, learner: isLearner }))
    .sort((a, b) => a.name.localeCompare(b.name));
}

export interface EtcdMember {
  name: string;
  learner: boolean;
}

/** Voting members of these names. */
export const voters = (...names: string[]): EtcdMember[] => names.map((name) => ({ name, learner: false }));

/**
 * What an apply would change, one line a task; pods that are still on their way up after a node left are no drift.
 */
export async function drift(lab: E2eLab): Promise<string[]> {
  const { tasks } = JSON.parse(await succeed('plan', '-c', lab.clusterFile, '-o', 'json')) as {
    tasks: { phase: string; host: string; standing: string; reasons: string[] }[];
  };
  return tasks
    .filter(({ standing, phase }) => standing !== 'satisfied' && phase !== 'wait-ready')
    .map(({ host, phase, reasons }) => `${host} ${phase}: ${reasons.join('; ')}`);
}

export const CONTROL_PLANE_KUBECTL = 'kubectl --kubeconfig /etc/kubernetes/admin.conf';
