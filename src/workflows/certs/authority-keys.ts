import { controlPlanes, etcdHosts } from '../../config/inventory.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { controllerPods } from '../../phases/control-plane/static-pods.js';
import type { AuthorityKey } from '../../phases/trust-store.js';
import { inspectBundle } from '../../pki/inspect.js';
import { openAuthority } from '../../pki/issue.js';
import { authoritiesOf, certificatePaths, keyIsElsewhere, SECRET_MODE } from '../../pki/table.js';
import { withLock } from '../lock.js';
import { runPhases } from '../phase-run.js';
import type { Session } from '../session.js';

export interface KeysOptions {
  owner: string;
  stop?: AbortSignal;
}

export interface KeysMoved {
  /** Authorities whose keys were moved, by name. */
  authorities: string[];
  hosts: string[];
}

/**
 * Takes the keys of the cluster's authorities off its hosts: into an encrypted file first, then away. The controller
 * managers, which can't sign any more, are told so as kubeadm does for an external CA, control plane after control plane.
 * @throws CONFLICT where no host has a key; LOCKED; as `writeKeyFile`
 */
export async function takeKeys(
  session: Session,
  { write, ...options }: KeysOptions & { write: (keys: readonly Named[]) => Promise<void> },
): Promise<KeysMoved> {
  const places = placesOf(session);
  const moved = await withLock(session, { owner: options.owner, run: 'certs take-keys' }, async () => {
    const found = new Map<string, Named>();
    for (const { host, name, cert, key } of places) {
      const { files } = await session.effects.host(host).read({ files: [cert, key] });
      const certPem = files.get(cert)?.content?.toString();
      const keyPem = files.get(key)?.content?.toString();
      if (certPem === undefined || keyPem === undefined) continue;
      // Makes sure that the file will hold what can sign.
      await openAuthority({ certPem, keyPem }, { cert, key });
      const own = { name, certPem: inspectBundle(certPem, cert)[0].pem, keyPem };
      const known = found.get(name);
      if (known !== undefined && known.certPem !== own.certPem)
        throw new KeelsonError('CONFLICT', `${cert} is another one than on the host before`, {
          host,
          hint: 'see keelson certs check',
        });
      found.set(name, own);
    }
    if (found.size === 0) throw new KeelsonError('CONFLICT', 'no host has the key of an authority');
    await write([...found.values()]);
    for (const { host, key } of places) await session.effects.host(host).remove([key]);
    return { authorities: [...found.keys()], hosts: [...new Set(places.map(({ host }) => host))] };
  });
  await tellControllers(session, options);
  return moved;
}

/**
 * Brings keys back onto the hosts that have the authorities' certificates.
 * @throws CONFLICT where a key is of no authority of the cluster
 */
export async function returnKeys(
  session: Session,
  { keys, ...options }: KeysOptions & { keys: readonly AuthorityKey[] },
): Promise<KeysMoved> {
  const moved = await withLock(session, { owner: options.owner, run: 'certs return-keys' }, async () => {
    const returned: { host: string; name: string; key: string; keyPem: string }[] = [];
    for (const { host, name, cert, key } of placesOf(session)) {
      const { files } = await session.effects.host(host).read({ files: [cert] });
      const certPem = files.get(cert)?.content?.toString();
      if (certPem === undefined) continue;
      const [{ pem }] = inspectBundle(certPem, cert);
      const own = keys.find((pair) => pair.certPem === pem);
      if (own !== undefined) returned.push({ host, name, key, keyPem: own.keyPem });
    }
    if (returned.length === 0)
      throw new KeelsonError('CONFLICT', 'the file has the key of no authority that the hosts have', {
        hint: 'the authorities may have been rotated since: nothing was changed',
      });
    for (const { host, key, keyPem } of returned)
      await session.effects.host(host).put([{ path: key, content: Buffer.from(keyPem), mode: SECRET_MODE }]);
    const unique = (values: readonly string[]) => [...new Set(values)];
    return {
      authorities: unique(returned.map(({ name }) => name)),
      hosts: unique(returned.map(({ host }) => host)),
    };
  });
  await tellControllers(session, options);
  return moved;
}

type Named = AuthorityKey & { name: string };

/** Where keys of authorities may lie. */
function placesOf({ context, hosts }: Session) {
  const { config } = context;
  return [...controlPlanes(config), ...etcdHosts(config)]
    .filter(({ name }) => hosts.has(name))
    .flatMap(({ name: host, role }) =>
      authoritiesOf(config.cluster, role)
        .filter(({ name }) => !keyIsElsewhere(config.cluster, role, name))
        .map((row) => ({ host, name: row.name, ...certificatePaths(config.cluster, row) })),
    );
}

/** Controller managers sign, or do not any more: their manifests say so. */
async function tellControllers(session: Session, { owner, stop }: KeysOptions): Promise<void> {
  session.context.trust.forget();
  const phases = controllerPods.filter(({ name }) => name === 'control-plane/controller-manager');
  await runPhases(session, { phases, owner, ...(stop === undefined ? {} : { stop }) });
}
