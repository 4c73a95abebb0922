import { pruneStore } from '../../engine/store.js';
import { previousOf } from './keep.js';
import type { Step } from './run.js';

/** Removes binaries from a host's store that neither this version nor the one before has. */
export async function pruneHost({ session, hop }: Step, name: string): Promise<void> {
  const host = session.effects.host(name);
  const previous = await previousOf(host, hop);
  if (previous === null) return;
  await pruneStore(
    host,
    previous.binaries.map(({ sha256 }) => sha256),
  );
}
