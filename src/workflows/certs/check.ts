import { clusterClient } from '../../cluster/client.js';
import { controlPlanes } from '../../config/inventory.js';
import type { ClusterConfig, ResolvedHost } from '../../config/types.js';
import { KeelsonError, toKeelsonError } from '../../errors/keelson-error.js';
import { KUBELET_CLIENT_CERTIFICATE, KUBELET_CONF } from '../../phases/paths.js';
import { adminIn } from '../../phases/trust-store.js';
import type { ExtraPlaces } from '../../pki/survey/host-items.js';
import { surveyCertificates } from '../../pki/survey/survey.js';
import type {
  CertificateSurvey,
  FoundFile,
  HostFindings,
  PlacedFinding,
  Presented,
} from '../../pki/survey/types.js';
import { KUBERNETES_DIR } from '../../pki/table.js';
import type { Session } from '../session.js';
import { presentedOn } from './handshakes.js';
import { asReadResult, type Places, readCertificateFiles } from './read-host.js';
import { notSeen, type TrustInCluster, trustInCluster } from './trust-objects.js';

export interface SurveyOptions {
  /** Certificates with fewer days left are warned of. */
  warnDays: number;
}

const KUBELET_PKI = '/var/lib/kubelet/pki';

/**
 * Every certificate, key and trust bundle of the cluster: read on the hosts in one round trip each, seen in TLS
 * handshakes, and read from the API where it answers. Reads only. Give it a tolerant session: hosts that can't be
 * reached are part of the answer. Afterwards the session's trust store knows what was found.
 * @throws CONFLICT where no host that could be reached has any
 */
export async function certificateSurvey(
  session: Session,
  { warnDays }: SurveyOptions,
): Promise<CertificateSurvey> {
  const { context } = session;
  const { config } = context;
  const unseen: PlacedFinding[] = [];
  const reached = context.inventory.map(({ name }) => context.hostNamed(name));
  const looks = await Promise.all(
    reached.map(async (host): Promise<{ files: Map<string, FoundFile>; presented: Presented[] } | null> => {
      const reader = session.readers.get(host.name);
      try {
        if (reader === undefined)
          throw session.failures.get(host.name) ?? new KeelsonError('CONNECTION', 'not connected');
        const [files, presented] = await Promise.all([
          readCertificateFiles(reader, placesOf(config, host), context.signal),
          presentedOn(config, host, reader, context.signal),
        ]);
        return { files, presented };
      } catch (error) {
        context.signal.throwIfAborted();
        unseen.push(unreachable(host.name, toKeelsonError(error).message));
        return null;
      }
    }),
  );
  const seen = reached.flatMap((host, index) => {
    const look = looks[index];
    return look === null || look === undefined ? [] : [{ host, ...look }];
  });
  if (seen.length > 0 && unseen.length === 0 && seen.every(({ files }) => files.size === 0)) {
    throw new KeelsonError('CONFLICT', 'there is no cluster yet: no host has certificates', {
      hint: 'run keelson apply first',
    });
  }
  for (const { host, files } of seen) context.trust.observed(host.name, asReadResult(files));
  const hosts = seen.map(({ host, files }): HostFindings => {
    const entries = host.role === 'worker' || files.size === 0 ? [] : context.trust.entries(host.name);
    return { host, files, entries };
  });
  const inCluster = await trustOf(session, hosts);
  return surveyCertificates({
    cluster: config.name,
    now: new Date(context.now()),
    warnDays,
    hosts,
    placesOf: (host) => extraPlaces(config, host),
    presented: seen.flatMap(({ presented }) => presented),
    trust: inCluster.trust,
    first: context.first.name,
    unseen: [...unseen, ...inCluster.unseen],
  });
}

/** The API as whichever control plane answers first shows it, in the order of the file. */
async function trustOf(session: Session, hosts: readonly HostFindings[]): Promise<TrustInCluster> {
  const { context } = session;
  let why = 'no control plane with an admin identity was reached';
  for (const { name, localAPIEndpoint } of controlPlanes(context.config)) {
    const host = session.readers.get(name);
    const files = hosts.find((found) => found.host.name === name)?.files;
    const admin = files === undefined ? null : readable(() => adminIn((path) => files.get(path)?.content));
    if (host === undefined || admin === null) continue;
    const endpoint = { address: localAPIEndpoint.advertiseAddress, port: localAPIEndpoint.bindPort };
    const client = clusterClient(host, endpoint, admin, context.signal);
    try {
      await client.request('GET', '/version', { timeoutMs: 5_000 });
      return await trustInCluster(client);
    } catch (error) {
      context.signal.throwIfAborted();
      why = toKeelsonError(error).message;
    } finally {
      await client.close();
    }
  }
  return { trust: [], unseen: [notSeen('trust bundles', why)] };
}

/** An admin.conf that can't be read is a finding of its own. */
function readable<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof KeelsonError) return null;
    throw error;
  }
}

function unreachable(host: string, why: string): PlacedFinding {
  return {
    host,
    place: '',
    name: '',
    code: 'unreachable',
    severity: 'error',
    message: `can't be looked at: ${why}`,
    remedy: 'bring the host back, or take it out of the cluster with keelson node remove',
  };
}

function placesOf(config: ClusterConfig, host: ResolvedHost): Places {
  const { kubeletServer, kubeletClientCa } = extraPlaces(config, host);
  const { external, members } = config.cluster.etcd;
  const elsewhere =
    external === undefined || members !== undefined || host.role !== 'control-plane'
      ? []
      : [external.caFile, external.certFile, external.keyFile];
  const named = [kubeletClientCa, ...kubeletServer.flatMap(({ cert, key }) => [cert, key]), ...elsewhere];
  const directories = [config.cluster.certificatesDir, `${KUBERNETES_DIR}/pki`, KUBELET_PKI];
  return { directories: [...new Set(directories)], files: [...new Set(named)] };
}

function extraPlaces(config: ClusterConfig, _host: ResolvedHost): ExtraPlaces {
  const given = config.kubelet;
  const own =
    typeof given.tlsCertFile === 'string' && typeof given.tlsPrivateKeyFile === 'string'
      ? [{ cert: given.tlsCertFile, key: given.tlsPrivateKeyFile }]
      : [];
  const rotated = `${KUBELET_PKI}/kubelet-server-current.pem`;
  const x509 = (given.authentication as { x509?: { clientCAFile?: string } } | undefined)?.x509;
  return {
    kubeletClient: KUBELET_CLIENT_CERTIFICATE,
    kubeletConf: KUBELET_CONF,
    kubeletServer: [
      ...own,
      { cert: rotated, key: rotated },
      { cert: `${KUBELET_PKI}/kubelet.crt`, key: `${KUBELET_PKI}/kubelet.key` },
    ],
    kubeletClientCa: x509?.clientCAFile ?? `${config.cluster.certificatesDir}/ca.crt`,
  };
}
