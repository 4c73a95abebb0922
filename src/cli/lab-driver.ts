import { KeelsonError } from '../errors/keelson-error.js';
import type { LabDriver, LabRef } from '../lab/driver.js';
import { nspawnDriver } from '../lab/nspawn.js';
import type { LabDriverName } from '../lab/types.js';
import { vagrantDriver } from '../lab/vagrant/driver.js';
import { readVagrantState } from '../lab/vagrant/state.js';
import type { CliIO } from './command.js';
import { labCacheDir, labDirectory } from './lab-options.js';

/** The lab of that name, seen from the current directory. */
export function labRef(io: CliIO, name: string): LabRef {
  return { name, directory: labDirectory(io, name), cacheDir: labCacheDir(io) };
}

/**
 * The driver of that name, or else the one that the lab was made with; systemd-nspawn where there is none yet.
 * @throws USAGE for another driver than that of a lab that is there
 */
export async function labDriver(io: CliIO, lab: LabRef, asked?: LabDriverName): Promise<LabDriver> {
  const made = (await readVagrantState(lab.directory)) === null ? undefined : 'vagrant';
  if (made !== undefined && asked !== undefined && asked !== made) {
    throw new KeelsonError('USAGE', `lab '${lab.name}' was made with ${made}`, {
      hint: `choose another name, or remove it first: keelson lab down --name ${lab.name}`,
    });
  }
  return (asked ?? made) === 'vagrant' ? vagrantDriver(io.env) : nspawnDriver;
}
