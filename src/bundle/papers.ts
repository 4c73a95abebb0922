import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bundle } from './bundle.js';
import { LOCK_FILE } from './lock.js';
import { SBOM_FILE, sbomOf } from './sbom.js';
import { isAbout, SIGNATURE_FILE, type Signed } from './signature.js';
import { writeWhole } from './store.js';

/** What a bundle has beside its blobs, byte for byte; `signature` is null where nobody has signed it. */
export interface Papers extends Signed {
  signature: Buffer | null;
}

/** Papers of a bundle directory; a bill of materials is made where it has none. */
export async function papersOf({ dir, lock }: Bundle): Promise<Papers> {
  const text = await readFile(join(dir, LOCK_FILE));
  const [sbom, signature] = await Promise.all(
    [SBOM_FILE, SIGNATURE_FILE].map((name) => readFile(join(dir, name)).catch(() => null)),
  );
  return { lock: text, sbom: sbom ?? sbomOf(lock, text), signature: signature ?? null };
}

/** Writes the bill of materials that goes with a new lock; a signature of another lock is removed. */
export async function renewPapers({ dir, lock }: Bundle): Promise<void> {
  const text = await readFile(join(dir, LOCK_FILE));
  const sbom = sbomOf(lock, text);
  await writeWhole(join(dir, SBOM_FILE), sbom);
  const signature = await readFile(join(dir, SIGNATURE_FILE)).catch(() => null);
  if (signature !== null && !isAbout(signature, { lock: text, sbom })) await rm(join(dir, SIGNATURE_FILE));
}

/** What distinguishes a bundle: sha256, in hex, of its lock. */
export function bundleId(lockText: Buffer): string {
  return createHash('sha256').update(lockText).digest('hex');
}
