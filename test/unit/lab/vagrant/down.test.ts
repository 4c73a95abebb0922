import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { LabEvent } from '../../../../src/lab/types.js';
import { vagrantDriver } from '../../../../src/lab/vagrant/driver.js';
import { writeVagrantState } from '../../../../src/lab/vagrant/state.js';

/** A computer without Vagrant. */
const driver = vagrantDriver({ PATH: '/nonexistent' });

/** A lab of which Vagrant made the given machines. */
async function labOf(machines: readonly string[]) {
  const root = await mkdtemp(join(tmpdir(), 'keelson-vagrant-down-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const lab = { name: 'demo', directory: join(root, 'demo') };
  await writeVagrantState(lab.directory, {
    version: 1,
    name: 'demo',
    profile: 'single',
    provider: null,
    subnet: '192.168.56.0/24',
    settings: {},
    nodes: [],
  });
  await mkdir(join(lab.directory, 'vagrant', 'machines', 'w9', 'libvirt'), { recursive: true });
  for (const name of machines) {
    const directory = join(lab.directory, 'vagrant', 'machines', name, 'libvirt');
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, 'id'), `id-of-${name}\n`);
  }
  return lab;
}

describe('without Vagrant', () => {
  it('a lab that failed before any machine was made goes', async () => {
    const lab = await labOf([]);
    expect(await driver.down(lab)).toEqual([lab.directory]);
    await expect(stat(lab.directory)).rejects.toThrow('ENOENT');
  });

  it('one with machines is refused, with their names and what to do', async () => {
    const lab = await labOf(['cp1']);
    await expect(driver.down(lab)).rejects.toMatchObject({
      code: 'LAB',
      message: expect.stringContaining(
        "Vagrant can't remove cp1 (libvirt id-of-cp1): vagrant is not installed",
      ),
      hint: expect.stringContaining('--forget'),
    });
    await stat(lab.directory);
  });

  it('it goes where its machines are given up, which are named', async () => {
    const lab = await labOf(['cp1']);
    const events: LabEvent[] = [];
    expect(await driver.down(lab, { forget: true, onEvent: (event) => events.push(event) })).toEqual([
      lab.directory,
    ]);
    expect(events[0]).toEqual({ kind: 'driver', message: 'left behind: cp1 (libvirt id-of-cp1)' });
  });

  it('none is begun', async () => {
    const request = { name: 'demo', directory: '/nowhere/demo', cacheDir: '/nowhere' };
    await expect(driver.check(request)).rejects.toThrow('vagrant is not installed');
    await expect(driver.check({ ...request, profile: 'huge' })).rejects.toMatchObject({ code: 'USAGE' });
    await expect(driver.up({ ...request, kubernetesVersion: 'v1.36.3', bundle: '/b' })).rejects.toThrow(
      'vagrant is not installed',
    );
    await expect(stat('/nowhere')).rejects.toThrow('ENOENT');
  });
});
