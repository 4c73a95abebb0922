import { randomBytes } from 'node:crypto';
import { hostname, userInfo } from 'node:os';
import { dirname } from 'node:path';
import { controlPlanes } from '../config/inventory.js';
import { STATE_DIR } from '../engine/journal.js';
import { KeelsonError } from '../errors/keelson-error.js';
import type { Host } from '../host/types.js';
import { readRotation, refuseRotation } from './rotate/store.js';
import type { Session } from './session.js';

/**
 * The cluster's lock lies on its control planes, so that it exists before any API does: on every one that can be
 * reached. Two runs that work through different ones still meet.
 */
const LOCK_PATH = `${STATE_DIR}/lock`;

/** A holder that has died without releasing is given up after so many seconds. */
const EXPIRY_SECONDS = 60;
const RENEW_MS = 15_000;

/**
 * Scripts of a lock at `path`. The lock is a symbolic link whose target is its content, `id|owner|expiry`, so
 * that it is there as a whole or not at all. Looking and changing are one step: others wait at the directory.
 */
export function lockScripts(path: string): { acquire: string; renew: string; release: string } {
  const alone = `umask 077
mkdir -p "${dirname(path)}"
exec 9< "${dirname(path)}"
flock 9
`;
  return {
    // Arguments: id, owner, expiry in seconds, id of a holder known to be dead. Ends with 75 and prints the
    // holder where there is one.
    acquire: `${alone}now=$(date +%s)
held=$(readlink "${path}")
until=\${held##*|}
if [ -n "$held" ] && [ "$until" -ge "$now" ] && [ "\${held%%|*}" != "\${4:-}" ]; then
  printf '%s|%s' "$held" "$((until - now))"
  exit 75
fi
ln -sfT "$1|$2|$((now + $3))" "${path}"
`,
    // Arguments as above. Ends with 75 where the lock is another's by now.
    renew: `${alone}case "$(readlink "${path}")" in
  "$1|"*) ln -sfT "$1|$2|$(($(date +%s) + $3))" "${path}" ;;
  *) exit 75 ;;
esac
`,
    release: `${alone}case "$(readlink "${path}")" in "$1|"*) rm -f "${path}" ;; esac
`,
  };
}

const { acquire: ACQUIRE, renew: RENEW, release: RELEASE } = lockScripts(LOCK_PATH);

/** The lock as `acquire` tells it; nothing where there is none. Reads only. */
const LOOK = `held=$(readlink ${LOCK_PATH}) && printf '%s|%s' "$held" "$((\${held##*|} - $(date +%s)))"`;

/** user@machine of this process, as another operator is told who holds a lock. */
export function ownerOf(): string {
  return `${userInfo().username}@${hostname()}`;
}

export interface LockOptions {
  /** user@machine, as another operator is told. */
  owner: string;
  run: string;
  /** Work that is done while certificates are being rotated, too. */
  duringRotation?: boolean;
}

/**
 * Runs `work` while holding the cluster's lock, renewing it meanwhile.
 * @throws LOCKED with holder and expiry where someone else has it; CONFLICT while certificates are being rotated
 */
export async function withLock<T>(
  session: Session,
  options: LockOptions,
  work: () => Promise<T>,
): Promise<T> {
  const id = `${hostname()}#${process.pid}#${randomBytes(6).toString('hex')}`;
  const args = [id, `${options.owner} (${options.run})`.replaceAll('|', ' '), String(EXPIRY_SECONDS)];
  const held: Host[] = [];
  // A lost connection must not hide the error that lost it; the lock expires by itself.
  const release = () =>
    Promise.all(
      held.map((host) =>
        host.script({ name: 'lock/release', text: RELEASE, args: [id] }).catch(() => undefined),
      ),
    );
  const take = async (host: Host) => {
    await acquire(host, args);
    held.push(host);
  };
  try {
    // Who is first on the first one has it; the others follow.
    const [first, ...others] = lockHosts(session);
    if (first !== undefined) await take(first);
    const taken = await Promise.allSettled(others.map(take));
    for (const result of taken) if (result.status === 'rejected') throw result.reason;
    if (options.duringRotation !== true) refuseRotation(await readRotation(session));
  } catch (error) {
    await release();
    throw error;
  }
  const renewal = setInterval(() => {
    for (const host of held) {
      host.script({ name: 'lock/renew', text: RENEW, args }).catch(() => {
        session.emit({
          type: 'note',
          host: host.name,
          level: 'warning',
          text: 'the cluster lock could not be renewed',
        });
      });
    }
  }, RENEW_MS);
  try {
    return await work();
  } finally {
    clearInterval(renewal);
    await release();
  }
}

/**
 * Looks for another's lock, for runs that have much to look at before they take it themselves.
 * @throws LOCKED with holder and expiry
 */
export async function refuseLocked(session: Session): Promise<void> {
  await Promise.all(
    lockHosts(session).map(async (host) => {
      const seen = await host.read({ probes: { lock: LOOK } });
      const [holder = '', owner, , left] = (seen.probes.get('lock')?.stdout ?? '').split('|');
      if (owner !== undefined && Number(left) >= 0 && !isDeadHere(holder)) throw locked(host, owner, left);
    }),
  );
}

/** Control planes that are connected, in the order of the file: every run asks them in the same one. */
export function lockHosts({ context, effects, hosts }: Session): Host[] {
  return controlPlanes(context.config)
    .filter(({ name }) => hosts.has(name))
    .map(({ name }) => effects.host(name));
}

async function acquire(host: Host, args: readonly string[], dead = ''): Promise<void> {
  const result = await host.script(
    { name: 'lock/acquire', text: ACQUIRE, args: [...args, dead] },
    { acceptCodes: [0, 75] },
  );
  if (result.code === 0) return;
  const [holder = '', owner, , left] = result.stdout.toString('utf8').split('|');
  // A run of this computer that was killed is not waited for.
  if (dead === '' && isDeadHere(holder)) return acquire(host, args, holder);
  throw locked(host, owner, left);
}

function locked(host: Host, owner: string | undefined, left: string | undefined): KeelsonError {
  return new KeelsonError(
    'LOCKED',
    `the cluster is locked by ${owner ?? 'someone'}, for another ${left ?? '?'} s unless renewed`,
    {
      host: host.name,
      hint: `wait for it to finish; a holder that died loses the lock after ${EXPIRY_SECONDS} s`,
    },
  );
}

/** Whether a lock's id names a process of this computer that no longer runs. */
export function isDeadHere(id: string, here: string = hostname()): boolean {
  const [machine, pid] = id.split('#');
  if (machine !== here || pid === undefined || !/^\d+$/.test(pid)) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
