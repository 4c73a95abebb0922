import { controlPlanes } from '../../config/inventory.js';
import { STATE_DIR } from '../../engine/journal.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import type { Host, ReadResult } from '../../host/types.js';
import type { CertAndKey } from '../../pki/issue.js';
import type { Session } from '../session.js';
import { mergeStates, parseState, type RotationState, type Step } from './state.js';

/** What a host knows of a rotation. On control planes also the old and the new authority with their keys. */
export const ROTATION_DIR = `${STATE_DIR}/rotation`;
/** Where a control plane has what it knows of a rotation under way. */
export const ROTATION_STATE = `${ROTATION_DIR}/state.json`;
/** One line a step that this host is through with: `id/step`. */
const REACHED = `${ROTATION_DIR}/reached`;

/** The old and the new one; of service-account keys `certPem` is the public half. */
export interface Pairs {
  old: CertAndKey;
  fresh: CertAndKey;
}

const PAIR_FILES = { old: 'old', fresh: 'new' } as const;
const SECRET = 0o600;
const PRIVATE_DIR = 0o700;

const connectedPlanes = ({ context, effects, hosts }: Session): Host[] =>
  controlPlanes(context.config)
    .filter(({ name }) => hosts.has(name))
    .map(({ name }) => effects.host(name));

/**
 * The rotation that is under way, as the connected control planes know it; null where there is none.
 * @throws CONFLICT for a state that can't be read
 */
export async function readRotation(session: Session): Promise<RotationState | null> {
  const found = await Promise.all(
    connectedPlanes(session).map(
      async (host) => [host.name, await host.read({ files: [ROTATION_STATE] })] as const,
    ),
  );
  return rotationIn(new Map(found));
}

/**
 * The rotation that is under way, as hosts know it whose ROTATION_STATE was read; null where there is none.
 * @throws CONFLICT for a state that can't be read
 */
export function rotationIn(observed: ReadonlyMap<string, ReadResult>): RotationState | null {
  return mergeStates(
    [...observed].flatMap(([host, seen]) => {
      const text = seen.files.get(ROTATION_STATE)?.content?.toString('utf8');
      return text === undefined ? [] : [parseState(text, host)];
    }),
  );
}

/**
 * Refuses work on a cluster whose certificates are being rotated: what it would undo or issue is not what the
 * rotation expects.
 * @param state the rotation under way, null for none
 * @throws CONFLICT with how to go on
 */
export function refuseRotation(state: RotationState | null): void {
  if (state === null || state.finished) return;
  const back = state.direction === 'back';
  throw new KeelsonError(
    'CONFLICT',
    `the rotation of ${state.what} is ${back ? 'being rolled back' : 'under way'} since ${state.since}`,
    {
      hint: back
        ? 'end it: keelson certs rotate rollback --yes'
        : `go on with it: keelson certs rotate ${state.what} --yes; or take it back: keelson certs rotate rollback --yes`,
    },
  );
}

/** Writes the state to every control plane, one after the other. */
export async function writeState(session: Session, state: RotationState): Promise<void> {
  const content = Buffer.from(`${JSON.stringify(state, null, 2)}\n`);
  for (const host of connectedPlanes(session))
    await host.put([{ path: ROTATION_STATE, content, mode: SECRET, dirMode: PRIVATE_DIR }]);
}

/** Puts both pairs on every control plane; after that the state may tell of them. */
export async function writePairs(session: Session, pairs: Pairs): Promise<void> {
  const files = (['old', 'fresh'] as const).flatMap((which) => {
    const { certPem, keyPem } = pairs[which];
    const base = `${ROTATION_DIR}/${PAIR_FILES[which]}`;
    return [
      { path: `${base}.crt`, content: Buffer.from(certPem), mode: SECRET, dirMode: PRIVATE_DIR },
      { path: `${base}.key`, content: Buffer.from(keyPem), mode: SECRET, dirMode: PRIVATE_DIR },
    ];
  });
  for (const host of connectedPlanes(session)) await host.put(files);
}

/**
 * Both pairs, from a control plane that has the state; it was written after them.
 * @throws CONFLICT where a file is missing
 */
export async function readPairs(session: Session): Promise<Pairs> {
  const paths = ['old.crt', 'old.key', 'new.crt', 'new.key'].map((name) => `${ROTATION_DIR}/${name}`);
  for (const host of connectedPlanes(session)) {
    const { files } = await host.read({ files: [ROTATION_STATE, ...paths] });
    if (files.get(ROTATION_STATE)?.content === undefined) continue;
    const [oldCert, oldKey, newCert, newKey] = paths.map((path) =>
      files.get(path)?.content?.toString('utf8'),
    );
    if (oldCert && oldKey && newCert && newKey) {
      return { old: { certPem: oldCert, keyPem: oldKey }, fresh: { certPem: newCert, keyPem: newKey } };
    }
  }
  throw new KeelsonError('CONFLICT', 'the authorities of the rotation are on no control plane', {
    hint: `look for ${paths.join(', ')}`,
  });
}

/** Whether a host is through with a step of this rotation. */
export async function hasReached(host: Host, id: string, step: Step): Promise<boolean> {
  const text = (await host.read({ files: [REACHED] })).files.get(REACHED)?.content?.toString('utf8') ?? '';
  return text.split('\n').includes(`${id}/${step}`);
}

const MARK = `set -e
umask 077
mkdir -p ${ROTATION_DIR}
printf '%s\\n' "$1" >> ${REACHED}
`;

export async function markReached(host: Host, id: string, step: Step): Promise<void> {
  await host.script({ name: 'rotate/mark', text: MARK, args: [`${id}/${step}`] });
}

/** Argument: `state` to leave the state. */
const FORGET = `[ -d ${ROTATION_DIR} ] || exit 0
find ${ROTATION_DIR} -mindepth 1 ! -path ${ROTATION_STATE} -delete
[ "$1" = state ] || rm -rf ${ROTATION_DIR}
`;

/**
 * Takes everything about the rotation off the hosts, the state last: until then it is known that all is done.
 * @param keepState it stays on control planes, for what is queued behind
 */
export async function forgetRotation(
  session: Session,
  hosts: readonly Host[],
  { keepState }: { keepState: boolean },
): Promise<void> {
  const args = keepState ? ['state'] : [];
  const forget = (host: Host) => host.script({ name: 'rotate/forget', text: FORGET, args });
  const planes = connectedPlanes(session);
  const names = new Set(planes.map(({ name }) => name));
  await Promise.all(hosts.filter(({ name }) => !names.has(name)).map(forget));
  for (const host of planes) await forget(host);
}
