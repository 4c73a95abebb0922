import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseClusterConfig } from '../../src/config/load.js';
import { installPackages, isDebian } from '../../src/lab/tools.js';
import type { LabEvent } from '../../src/lab/types.js';
import { vagrantDriver } from '../../src/lab/vagrant/driver.js';
import { readVagrantState } from '../../src/lab/vagrant/state.js';
import { startSshServer, type TestServer } from './ssh-server.js';

const PROFILES = fileURLToPath(new URL('../../vagrant/', import.meta.url));
const STANDIN = fileURLToPath(new URL('vagrant-standin/Vagrantfile', import.meta.url));

const installed = () =>
  execa('vagrant', ['--version'], { reject: false }).then(({ exitCode }) => exitCode === 0);

/** As root on Debian Vagrant is installed; elsewhere these tests are skipped, and named by `npm test`. */
async function haveVagrant(): Promise<boolean> {
  if (await installed()) return true;
  if (process.getuid?.() !== 0 || !(await isDebian())) return false;
  await installPackages(['vagrant']);
  return installed();
}

const there = await haveVagrant();

describe.skipIf(!there)('the Vagrantfiles', { timeout: 120_000 }, () => {
  let home: string;
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'keelson-vagrant-'));
  });
  afterAll(() => rm(home, { recursive: true, force: true }));

  const validate = (profile: string, env: Record<string, string> = {}) =>
    execa('vagrant', ['validate', '--ignore-provider'], {
      reject: false,
      all: true,
      env: {
        ...env,
        VAGRANT_HOME: home,
        VAGRANT_CWD: join(PROFILES, profile),
        VAGRANT_DOTFILE_PATH: join(home, 'state'),
      },
    });

  it.each(['single', 'small', 'ha'])('%s is valid', async (profile) => {
    const { all, exitCode } = await validate(profile);
    expect(all).toContain('Vagrantfile validated successfully.');
    expect(exitCode).toBe(0);
  });

  it.each(['debian13', 'ubuntu24.04', 'rocky9', 'somebody/else'])('take the box %s', async (box) => {
    expect((await validate('single', { KEELSON_VAGRANT_BOX: box })).all).toContain('validated successfully');
  });

  it.each([
    ['CPUS', 'two'],
    ['WORKER_MEMORY', '0'],
    ['SUBNET', '10.0.0.0/16'],
  ])('refuse KEELSON_VAGRANT_%s=%s by name', async (name, value) => {
    const { all, exitCode } = await validate('small', { [`KEELSON_VAGRANT_${name}`]: value });
    expect(all).toContain(`KEELSON_VAGRANT_${name}: ${value} is no`);
    expect(exitCode).not.toBe(0);
  });
});

describe.skipIf(!there)('a Vagrant lab', { timeout: 120_000 }, () => {
  let work: string;
  let server: TestServer;
  let directory: string;
  let env: Record<string, string | undefined>;
  const events: LabEvent[] = [];

  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), 'keelson-vagrant-'));
    directory = join(work, '.keelson/lab/demo');
    const [home, bin] = [join(work, 'home'), join(work, 'bin')];
    await Promise.all([mkdir(home), mkdir(bin)]);
    await copyFile(STANDIN, join(home, 'Vagrantfile'));
    server = await startSshServer({ env: { ...process.env, PATH: `${bin}:${process.env.PATH}` } });
    // The server runs commands on this computer, whose host keys are not its own.
    const key = `ssh-ed25519 ${server.hostKey.toString('base64')} root@cp1`;
    await writeFile(join(bin, 'cat'), `#!/bin/sh\necho '${key}'\n`, { mode: 0o755 });
    const machines = join(work, 'machines');
    await writeFile(machines, `cp1 127.0.0.1 ${server.port} root ${server.settings.identityFile}\n`);
    env = { ...process.env, VAGRANT_HOME: home, STANDIN_MACHINES: machines, KEELSON_VAGRANT_MEMORY: '3072' };
  });
  afterAll(async () => {
    await server.close();
    await rm(work, { recursive: true, force: true });
  });

  const lab = () => ({ name: 'demo', directory });
  const options = { onEvent: (event: LabEvent) => void events.push(event) };
  const spec = () => ({
    ...lab(),
    cacheDir: '',
    kubernetesVersion: 'v1.36.3',
    bundle: '/bundle',
    profile: 'single',
    provider: 'standin',
    box: 'rocky9',
  });

  it('comes up with vagrant up, and its directory holds all that a login needs', async () => {
    const status = await vagrantDriver(env).up(spec(), options);
    expect(status.nodes).toEqual([
      { name: 'cp1', role: 'control-plane', address: '192.168.56.11', state: 'running', pid: null },
    ]);
    expect((await readdir(directory)).sort()).toEqual([
      'cluster.yaml',
      'known_hosts',
      'ssh-config',
      'vagrant',
      'vagrant.json',
    ]);
    const [host] = parseClusterConfig(await readFile(join(directory, 'cluster.yaml'), 'utf8'), {
      file: join(directory, 'cluster.yaml'),
      homeDir: work,
    }).hosts;
    expect(host?.ssh).toMatchObject({
      address: '127.0.0.1',
      port: server.port,
      user: 'root',
      identityFile: server.settings.identityFile,
      knownHostsFiles: [join(directory, 'known_hosts')],
    });
    expect(events.at(-1)).toMatchObject({ kind: 'cluster-file', outcome: 'written' });
  });

  it('keeps box, provider and sizes of its first up', async () => {
    const state = await readVagrantState(directory);
    expect(state?.settings).toEqual({ KEELSON_VAGRANT_BOX: 'rocky9', KEELSON_VAGRANT_MEMORY: '3072' });
    await expect(vagrantDriver(env).up({ ...spec(), profile: 'ha' })).rejects.toThrow(
      "lab 'demo' has profile single",
    );
  });

  it('runs commands on its machines, whose host keys are checked', async () => {
    const [program = '', ...argv] = await vagrantDriver(env).sshCommand(lab(), 'cp1', ['echo', 'a  b']);
    expect((await execa(program, argv)).stdout).toBe('a  b');
    const knownHosts = join(directory, 'known_hosts');
    const known = await readFile(knownHosts, 'utf8');
    await writeFile(knownHosts, known.replace(/.{4}$/m, 'AAAA'));
    expect((await execa(program, argv, { reject: false })).exitCode).toBe(255);
    await writeFile(knownHosts, known);
  });

  it('stops and starts a machine', async () => {
    const driver = vagrantDriver(env);
    await driver.stop(lab(), 'cp1', options);
    expect((await driver.status(lab())).nodes[0]?.state).toBe('stopped');
    await driver.start(lab(), 'cp1', options);
    expect((await driver.status(lab())).nodes[0]?.state).toBe('running');
    expect(events.at(-2)).toMatchObject({ kind: 'cluster-file', outcome: 'kept' });
    await expect(driver.stop(lab(), 'w1')).rejects.toThrow("lab 'demo' has no node 'w1'");
  });

  it('goes with everything that it made, and then is no error to remove', async () => {
    const driver = vagrantDriver(env);
    expect(await driver.down(lab(), options)).toEqual(['machine cp1', directory]);
    await expect(stat(directory)).rejects.toThrow('ENOENT');
    expect(await driver.down(lab())).toEqual([]);
    await expect(driver.status(lab())).rejects.toThrow("there is no Vagrant lab 'demo'");
  });
});
