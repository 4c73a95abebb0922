#!/usr/bin/env zx
// Runs every test that this machine can run, names what it skipped and why, and ends with the count line.
// Usage: npm test [-- --project NAME ...] [vitest filters]
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { $, argv, chalk, within } from 'zx';

$.verbose = true;
// `long` runs only where it is asked for: npm run test:long.
const PROJECTS = ['unit', 'contract', 'kubeadm', 'e2e'];
const ON_MACHINES = ['e2e', 'long'];
const asked = [argv.project ?? []].flat();
const projects = asked.length > 0 ? asked : PROJECTS;
const skipped = [];

await $`npm run --silent build`;

const env = { ...process.env, FORCE_COLOR: '0' };
if (projects.includes('kubeadm')) {
  try {
    const { prepareOracles } = await import('./oracles.mjs');
    env.KEELSON_ORACLE_DIR = await prepareOracles();
  } catch (error) {
    skipped.push(`differential tests against kubeadm: ${error.message}`);
  }
}
if (process.platform !== 'linux' || process.getuid() !== 0) {
  for (const project of ON_MACHINES.filter((name) => projects.includes(name))) {
    skipped.push(`tests on lab machines (${project}): they need root on Linux`);
    projects.splice(projects.indexOf(project), 1);
  }
}

const directory = mkdtempSync(join(tmpdir(), 'keelson-test-'));
const totals = { passed: 0, failed: 0, skipped: 0 };
let broken = false;
// Projects run one after the other: the lab's machines need the processors that the other tests would take.
for (const project of projects) {
  const report = join(directory, `${project}.json`);
  await within(async () => {
    const run = await $({
      env,
      nothrow: true,
    })`npx vitest run --project ${project} --reporter default --reporter json --outputFile.json ${report} ${argv._}`;
    if (run.exitCode !== 0) broken = true;
  });
  let results;
  try {
    results = JSON.parse(readFileSync(report, 'utf8'));
  } catch {
    // vitest writes no report where a filter leaves a project without files.
    continue;
  }
  totals.passed += results.numPassedTests;
  totals.failed += results.numFailedTests;
  totals.skipped += results.numPendingTests + results.numTodoTests;
  for (const file of results.testResults) {
    if (file.status === 'failed' && file.assertionResults.length === 0) totals.failed += 1;
    for (const test of file.assertionResults) {
      if (test.status === 'pending' || test.status === 'skipped') skipped.push(test.fullName);
    }
  }
}
rmSync(directory, { recursive: true, force: true });

if (skipped.length > 0) {
  console.log(chalk.bold(`\nSkipped:\n${skipped.map((name) => `  - ${name}`).join('\n')}`));
}
console.log(`\n${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exitCode = broken || totals.failed > 0 || totals.passed === 0 ? 1 : 0;
