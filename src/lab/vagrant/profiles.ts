import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { KeelsonError } from '../../errors/keelson-error.js';

/** `vagrant/` of the package, from the sources as from the build. */
function profilesDirectory(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (folder !== dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return join(folder, 'vagrant');
    folder = dirname(folder);
  }
  throw new KeelsonError('LAB', 'the Vagrantfiles are missing from this installation of keelson', {
    hint: 'install the package again',
  });
}

export interface Profile {
  name: string;
  /** Directory with its Vagrantfile. */
  directory: string;
  /** Its cluster.yaml, which is the lab's but for how to log in. */
  clusterFile: string;
}

/** The profile of that name; USAGE where there is none. */
export async function readProfile(name: string): Promise<Profile> {
  const root = profilesDirectory();
  const entries = await readdir(root, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  if (!names.includes(name)) {
    throw new KeelsonError('USAGE', `there is no profile '${name}'`, {
      hint: `the profiles are ${names.sort().join(', ')}`,
    });
  }
  const directory = join(root, name);
  return { name, directory, clusterFile: await readFile(join(directory, 'cluster.yaml'), 'utf8') };
}
