import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type E2eLab, keelson, succeed } from '../e2e/support.js';

export const PLANES = ['cp1', 'cp2', 'cp3'];

/** Control planes of the tests that also make sense with one: `KEELSON_PLANES`, default 3. */
export const SOME_PLANES = PLANES.slice(0, Number(process.env.KEELSON_PLANES ?? PLANES.length));

/** An apply would change nothing. */
export async function expectNothingToPlan(lab: E2eLab): Promise<void> {
  const plan = await keelson(['plan', '-c', lab.clusterFile, '--detailed-exitcode']);
  expect(plan.stdout).toContain('Nothing to change');
  expect(plan.exitCode).toBe(0);
}

/** As an operator gets a kubeconfig; the endpoint's name is known to the machines alone, so it goes to cp1. */
export async function refreshKubeconfig(lab: E2eLab): Promise<void> {
  const file = join(lab.directory, 'fresh.kubeconfig');
  await succeed('kubeconfig', '-c', lab.clusterFile, '--out', file, '--replace');
  const status = await succeed('lab', 'status', '--name', lab.name, '-o', 'yaml');
  const server = / address: (\S+)/.exec(status)?.[1];
  const text = readFileSync(file, 'utf8').replace(/server: .*/, `server: https://${server}:6443`);
  writeFileSync(lab.kubeconfig, text);
}

/** Says what was seen, for docs/high-availability.md. */
export function figure(what: string, ms: number): void {
  process.stdout.write(`figure: ${what}: ${(ms / 1000).toFixed(1)} s\n`);
}

/** `text` of a cluster file with only these of the hosts whose names match, in its own order. */
export function withHosts(text: string, pattern: RegExp, names: readonly string[]): string {
  return text.replace(/ {4}- name: (\S+)\n(?: {6}.*\n)*/g, (block, name: string) =>
    !pattern.test(name) || names.includes(name) ? block : '',
  );
}
