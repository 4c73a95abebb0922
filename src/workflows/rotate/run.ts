import { type ClusterClient, clusterClient } from '../../cluster/client.js';
import { type ControlPlaneHost, controlPlanes, nodeHosts } from '../../config/inventory.js';
import type { ResolvedHost } from '../../config/types.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { ADMIN_FILES, adminIn, type Credentials } from '../../phases/trust-store.js';
import { type Authority, createLeaf, openAuthority } from '../../pki/issue.js';
import type { RotationTrust } from '../../pki/rotation.js';
import { hostPaths, sharedPaths } from '../../pki/table.js';
import type { Session } from '../session.js';
import { encryptionConfigPath } from './encryption-file.js';
import type { RotationState, Step } from './state.js';
import type { Pairs } from './store.js';

/** Nobody: no role is bound to it. */
const STRANGER = 'keelson:rotation-probe';

/** A rotation at work: what its steps share. */
export interface Run {
  session: Session;
  state: RotationState;
  pairs: Pairs;
  planes: readonly ControlPlaneHost[];
  nodes: readonly ResolvedHost[];
  /** Soft stop, looked at between hosts. */
  stop: AbortSignal;
  /** Client of a control plane's API server, as the admin that this host knows now. Closed with the run. */
  api: (plane?: ControlPlaneHost) => Promise<ClusterClient>;
  /** A client certificate that may do nothing, of the old or the new authority; default CN `keelson:rotation-probe`. */
  stranger: (which: keyof Pairs, commonName?: string) => Promise<{ cert: string; key: string }>;
  close: () => Promise<void>;
}

export function openRun(session: Session, state: RotationState, pairs: Pairs, stop: AbortSignal): Run {
  const { context } = session;
  const planes = controlPlanes(context.config);
  const clients = new Map<string, { cert: string; client: ClusterClient }>();
  const strangers = new Map<string, Promise<{ cert: string; key: string }>>();
  return {
    session,
    state,
    pairs,
    planes,
    nodes: nodeHosts(context.config),
    stop,
    api: async (plane = context.first) => {
      const admin = await adminOf(session, plane.name);
      const known = clients.get(plane.name);
      if (known?.cert === admin.cert + admin.ca) return known.client;
      await known?.client.close();
      const { advertiseAddress, bindPort } = plane.localAPIEndpoint;
      const endpoint = { address: advertiseAddress, port: bindPort };
      const client = clusterClient(context.reader(plane.name), endpoint, admin, context.signal);
      clients.set(plane.name, { cert: admin.cert + admin.ca, client });
      return client;
    },
    stranger: (which, commonName = STRANGER) => {
      const key = `${which} ${commonName}`;
      const made = strangers.get(key) ?? makeStranger(session, pairs, which, commonName);
      strangers.set(key, made);
      return made;
    },
    close: async () => {
      await Promise.all([...clients.values()].map(({ client }) => client.close()));
    },
  };
}

async function adminOf(session: Session, name: string): Promise<Credentials> {
  const { files } = await session.effects.host(name).read({ files: ADMIN_FILES });
  const admin = adminIn((path) => files.get(path)?.content);
  if (admin !== null) return admin;
  throw new KeelsonError('CONFLICT', 'there is no admin identity here', {
    host: name,
    hint: 'run keelson apply first',
  });
}

/** Certificates, keys, kubeconfigs and how a control plane encrypts, as they stand there. */
export async function hostPki(session: Session, name: string): Promise<Map<string, Buffer>> {
  const { config } = session.context;
  const encryption = encryptionConfigPath(config);
  const paths = [
    ...sharedPaths(config.cluster),
    ...hostPaths(config.cluster),
    ...(encryption === undefined ? [] : [encryption]),
  ];
  const { files } = await session.effects.host(name).read({ files: paths });
  return new Map(
    [...files].flatMap(([path, { content }]) => (content === undefined ? [] : [[path, content] as const])),
  );
}

async function makeStranger(session: Session, pairs: Pairs, which: keyof Pairs, commonName: string) {
  const now = new Date(session.context.now());
  const authority = await authorityOf(pairs, which);
  const { certPem, keyPem } = await createLeaf(
    {
      commonName,
      organizations: [],
      usages: ['clientAuth'],
      sans: { dns: [], ips: [] },
      algorithm: 'ECDSA-P256',
      validityMs: 24 * 3_600_000,
      notBefore: 'backdated',
    },
    authority,
    { now },
  );
  return { cert: certPem, key: keyPem };
}

/** The old or the new authority, ready to sign. */
export function authorityOf(pairs: Pairs, which: keyof Pairs): Promise<Authority> {
  const name = which === 'old' ? 'old' : 'new';
  return openAuthority(pairs[which], { cert: `${name}.crt`, key: `${name}.key` });
}

/** Who is trusted from a step on, and who signs. */
export function trustAfter({ old, fresh }: Pairs, step: Step): RotationTrust {
  switch (step) {
    case 'trust':
    case 'reissue':
    case 'restart-back':
    case 'rewrite-back':
      return { issuer: old, also: [fresh] };
    case 'issue':
    case 'restart':
    case 'rewrite':
    case 'verify':
      return { issuer: fresh, also: [old] };
    case 'drop':
      return { issuer: fresh, also: [] };
    case 'distrust':
      return { issuer: old, also: [] };
  }
}

/** Which one signs from a step on. */
export const issuerAfter = (step: Step): keyof Pairs =>
  ['issue', 'restart', 'rewrite', 'verify', 'drop'].includes(step) ? 'fresh' : 'old';

/** Whether a step ends with only one of them trusted. */
export const isLast = (step: Step): boolean => step === 'drop' || step === 'distrust';
