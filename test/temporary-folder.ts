import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A run of the tests has a folder of its own for what they lay down in the system's, and takes it away at its end. */
export function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'keelson-tests-'));
  process.env.TMPDIR = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}
