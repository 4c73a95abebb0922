import { randomBytes } from 'node:crypto';
import { hostname, userInfo } from 'node:os';
import { STATE_DIR } from '../engine/journal.js';
import { KeelsonError } from '../errors/keelson-error.js';
import type { Host } from '../host/types.js';
import type { Session } from './session.js';

/** The cluster's lock lies on its first control plane, so that it exists before any API does. */
export const LOCK_PATH = `${STATE_DIR}/lock`;

/** A holder that has died without releasing is given up after so many seconds. */
const EXPIRY_SECONDS = 60;
const RENEW_MS = 15_000;

/**
 * Arguments: id, owner, expiry in seconds. The lock is a symbolic link whose target is its content: making one is
 * atomic and fails where one exists. An expired one is moved aside first, which only one of several can do.
 */
const ACQUIRE = `umask 077
mkdir -p ${STATE_DIR}
now=$(date +%s)
ln -s "$1|$2|$((now + $3))" ${LOCK_PATH} 2>/dev/null && exit 0
held=$(readlink ${LOCK_PATH})
until=\${held##*|}
if [ -n "$held" ] && [ "$until" -lt "$now" ] 2>/dev/null; then
  mv -T ${LOCK_PATH} "${LOCK_PATH}.expired.$1" 2>/dev/null && rm -f "${LOCK_PATH}.expired.$1"
  ln -s "$1|$2|$((now + $3))" ${LOCK_PATH} 2>/dev/null && exit 0
  held=$(readlink ${LOCK_PATH})
  until=\${held##*|}
fi
printf '%s|%s' "$held" "$((until - now))"
exit 75
`;

/** Renews a lock that is still ours; arguments as in ACQUIRE. */
const RENEW = `case "$(readlink ${LOCK_PATH})" in
  "$1|"*) ln -s "$1|$2|$(($(date +%s) + $3))" "${LOCK_PATH}.$1" && mv -T "${LOCK_PATH}.$1" ${LOCK_PATH} ;;
  *) exit 75 ;;
esac
`;

const RELEASE = `case "$(readlink ${LOCK_PATH})" in "$1|"*) rm -f ${LOCK_PATH} ;; esac
`;

/** user@machine of this process, as another operator is told who holds a lock. */
export function ownerOf(): string {
  return `${userInfo().username}@${hostname()}`;
}

export interface LockOptions {
  /** user@machine, as another operator is told. */
  owner: string;
  run: string;
}

/**
 * Runs `work` while holding the cluster's lock, renewing it meanwhile.
 * @throws LOCKED with holder and expiry where someone else has it
 */
export async function withLock<T>(
  session: Session,
  options: LockOptions,
  work: () => Promise<T>,
): Promise<T> {
  const host = session.effects.host(session.context.first.name);
  const id = randomBytes(6).toString('hex');
  const args = [id, `${options.owner} (${options.run})`.replaceAll('|', ' '), String(EXPIRY_SECONDS)];
  await acquire(host, args);
  const renewal = setInterval(() => {
    host.script({ name: 'lock/renew', text: RENEW, args }).catch(() => {
      session.emit({
        type: 'note',
        host: host.name,
        level: 'warning',
        text: 'the cluster lock could not be renewed',
      });
    });
  }, RENEW_MS);
  try {
    return await work();
  } finally {
    clearInterval(renewal);
    // A lost connection must not hide the error that lost it; the lock expires by itself.
    await host.script({ name: 'lock/release', text: RELEASE, args: [id] }).catch(() => undefined);
  }
}

async function acquire(host: Host, args: readonly string[]): Promise<void> {
  const result = await host.script({ name: 'lock/acquire', text: ACQUIRE, args }, { acceptCodes: [0, 75] });
  if (result.code === 0) return;
  const [, owner, , left] = result.stdout.toString('utf8').split('|');
  throw new KeelsonError(
    'LOCKED',
    `the cluster is locked by ${owner ?? 'someone'}, for another ${left ?? '?'} s unless renewed`,
    {
      host: host.name,
      hint: `wait for it to finish; a holder that died loses the lock after ${EXPIRY_SECONDS} s`,
    },
  );
}
