import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { COMMANDS } from '../../../src/cli/registry.js';
import { keelson, scratch } from './run.js';

describe('the command line', () => {
  it.each([[[]], [['--help']], [['-h']], [['help']]])('shows all commands for %j', async (argv) => {
    const { code, stdout, stderr } = await keelson(argv);
    expect([code, stderr]).toEqual([0, '']);
    for (const { name } of COMMANDS) expect(stdout).toContain(`  ${name} `);
  });

  it('says its version', async () => {
    expect(await keelson(['--version'])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^keelson \d+\.\d+\.\d+\n$/),
    });
  });

  it('refuses an unknown command with the nearest ones', async () => {
    const { code, stdout, stderr } = await keelson(['aply']);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain("unknown command 'aply'");
    expect(await keelson(['phase', 'lst'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('did you mean: phase list, phase run'),
    });
  });

  it('lists the commands of a group, which alone is no command', async () => {
    const { code, stdout } = await keelson(['lab']);
    expect(code).toBe(2);
    expect(stdout).toContain('lab up');
    expect(stdout).not.toContain('bundle build');
    expect(await keelson(['lab', '--help'])).toMatchObject({ code: 0 });
  });

  it.each([
    [['plan', '--help'], 'plan [options]', '--detailed-exitcode'],
    [['phase', 'run', '-h'], 'phase run [options] <name>', '--dry-run'],
  ])('explains the options for %j', async (argv, usage, option) => {
    const { code, stdout, stderr } = await keelson(argv);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain(usage);
    expect(stdout).toContain(option);
  });

  it.each([
    [['plan', '--nope'], "unknown option '--nope'"],
    [['render', '--host', 'cp1', '--host', 'w1'], '--host <name> is given twice'],
    [['phase', 'run'], "missing required argument 'name'"],
    [['phase', 'list', 'certs'], 'too many arguments'],
    [['phase', 'list', '-o', 'xml'], "'xml' is invalid"],
    [['lab', 'up', '--workers', 'two'], '--workers <n>: two is no number from 0 up'],
    [['phase', 'run', 'cert/ca'], 'did you mean `certs/ca`?'],
    [['join'], 'no host was named'],
  ])('ends %j with 2 and a hint', async (argv, message) => {
    const { code, stdout, stderr } = await keelson(argv);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain('keelson: USAGE: ');
    expect(stderr).toContain(message);
    expect(stderr).toContain('\n  → ');
  });

  it('ends with 3 for a broken file, and names line and column', async () => {
    const cwd = await scratch();
    await writeFile(join(cwd, 'c.yaml'), 'apiVersion: keelson.dev/v1alpha1\nkind: Clutser\n');
    const { code, stdout, stderr } = await keelson(['config', 'validate', '-c', 'c.yaml'], { cwd });
    expect([code, stdout]).toEqual([3, '']);
    expect(stderr).toContain('c.yaml:2:7 kind: unknown kind Clutser; did you mean `Cluster`?');
  });

  it('gives an error as one JSON line where the log is JSON', async () => {
    const { code, stderr } = await keelson(
      ['config', 'validate', '-c', 'nowhere.yaml', '--log-format', 'json'],
      {
        cwd: await scratch(),
      },
    );
    expect(code).toBe(3);
    expect(JSON.parse(stderr)).toMatchObject({ type: 'error', code: 'CONFIG', exitCode: 3 });
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  it('never shows what looks like a secret in an error', async () => {
    const cwd = await scratch();
    const token = 'abcdef.0123456789abcdef';
    const { stderr } = await keelson(['config', 'validate', '-c', token], { cwd });
    expect(stderr).not.toContain('0123456789abcdef');
    expect(stderr).toContain('<redacted>');
  });
});

describe('every command', () => {
  it.each(COMMANDS.map((entry) => [entry.name, entry] as const))(
    '%s is named and summed up alike in its file and in the overview',
    async (name, entry) => {
      const command = await entry.load();
      expect(command.name).toBe(name);
      expect(command.summary).toBe(entry.summary);
      for (const option of Object.values(command.options)) {
        expect(option.flags).toMatch(/^(-\w, )?--[a-z][a-z0-9-]*( <[\w|-]+>)?$/);
        expect(option.description).not.toBe('');
      }
    },
  );
});
