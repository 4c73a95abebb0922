import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { KeelsonError } from '../errors/keelson-error.js';

/** The module sets that the package carries (`modules/` at its root), from the sources as from the build. */
export function packagedModulesDir(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (folder !== dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return join(folder, 'modules');
    folder = dirname(folder);
  }
  throw new KeelsonError('BUNDLE', 'the module sets are missing from this installation of keelson', {
    hint: 'install the package again',
  });
}
