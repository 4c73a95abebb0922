import { STATE_DIR } from '../../engine/journal.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { combineFailures } from '../../host/pool.js';
import { lockHosts } from '../lock.js';
import type { Session } from '../session.js';

/** On every control plane that could be reached; one of them is enough. */
const PAUSE_PATH = `${STATE_DIR}/upgrade.pause`;

export interface Pause {
  /** user@machine */
  by: string;
  /** ISO 8601 */
  at: string;
}

/**
 * Lets a run of an upgrade or rollback begin nothing further, and none begin, until it is resumed. Takes no lock.
 * @throws what connecting failed with where no control plane was reached
 */
export async function pauseUpgrade(session: Session, by: string): Promise<Pause> {
  const hosts = lockHosts(session);
  if (hosts.length === 0) throw combineFailures([...session.failures.values()], session.failures.size);
  const known = await readPause(session);
  if (known !== null) return known;
  const pause: Pause = { by, at: new Date(session.context.now()).toISOString() };
  const content = Buffer.from(`${JSON.stringify(pause)}\n`);
  const file = { path: PAUSE_PATH, content, mode: 0o600, dirMode: 0o700 };
  await Promise.all(hosts.map((host) => host.put([file])));
  return pause;
}

/** @returns whether there was a pause */
export async function resumeUpgrade(session: Session): Promise<boolean> {
  const known = await readPause(session);
  await Promise.all(lockHosts(session).map((host) => host.remove([PAUSE_PATH])));
  return known !== null;
}

async function readPause(session: Session): Promise<Pause | null> {
  const found = await Promise.all(
    lockHosts(session).map(async (host) => {
      const seen = await host.read({ files: [PAUSE_PATH] });
      const text = seen.files.get(PAUSE_PATH)?.content?.toString();
      return text === undefined ? null : (JSON.parse(text) as Pause);
    }),
  );
  return found.find((pause) => pause !== null) ?? null;
}

/** @throws ABORTED where it is paused, with who did it */
export async function refusePaused(session: Session): Promise<void> {
  const pause = await readPause(session);
  if (pause === null) return;
  throw new KeelsonError('ABORTED', `paused by ${pause.by} at ${pause.at}`, {
    hint: 'keelson upgrade resume ends the pause; then the same command goes on',
  });
}
