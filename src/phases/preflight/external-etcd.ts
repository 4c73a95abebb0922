import { probeEtcd } from '../../cluster/etcd-probe.js';
import type { ClientCredentials } from '../../cluster/tls-agent.js';
import type { ExternalEtcd } from '../../config/types.js';
import { toKeelsonError } from '../../errors/keelson-error.js';
import type { HostReader } from '../../host/types.js';
import { checkEtcdClient } from '../../pki/check-etcd-client.js';
import type { PhaseContext } from '../context.js';
import { error, type Outcome, ok, type Subject, warning } from './check.js';

/** kubeadm's MinExternalEtcdVersion in 1.35 and 1.36. */
const OLDEST = [3, 5, 24] as const;
const ANSWER_MS = 5_000;

/**
 * What a control plane finds of an etcd that is run elsewhere: its client certificate, and each endpoint, asked
 * through the control plane's own network with that certificate. Nothing is said on other hosts.
 */
export async function judgeExternalEtcd(
  context: PhaseContext,
  subject: Subject,
  reader: HostReader,
): Promise<Outcome[]> {
  const { external, members } = context.config.cluster.etcd;
  if (external === undefined || members !== undefined || subject.host.role !== 'control-plane') return [];
  const found = await credentialsOn(context, external, reader);
  if ('outcomes' in found) return found.outcomes;
  const problems = checkEtcdClient(
    {
      caPem: found.ca,
      certPem: found.cert,
      keyPem: found.key,
      caPath: external.caFile,
      certPath: external.certFile,
      keyPath: external.keyFile,
    },
    new Date(context.now()),
  );
  if (problems.length > 0) {
    return problems.map(({ path, message, remedy, severity }) =>
      (severity === 'error' ? error : warning)('ExternalEtcdClient', `${path} ${message}`, remedy),
    );
  }
  const fine = ok('ExternalEtcdClient', `${external.certFile} is a client certificate of ${external.caFile}`);
  // Whoever is a member talks to etcd all the time.
  if (subject.member) return [fine];
  const asked = external.endpoints.map((url) => askedOf(context, url, found, reader));
  return [fine, ...(await Promise.all(asked))];
}

/** The files as the operator has them, else as they are on the host. */
async function credentialsOn(
  { etcdClient, signal }: PhaseContext,
  { caFile, certFile, keyFile }: ExternalEtcd,
  reader: HostReader,
): Promise<ClientCredentials | { outcomes: Outcome[] }> {
  const paths = [caFile, certFile, keyFile];
  if (paths.some((path) => path === '')) {
    const message = 'etcd.external names no client certificate, so its endpoints were not asked';
    return { outcomes: [warning('ExternalEtcdClient', message, 'name caFile, certFile and keyFile')] };
  }
  const seen = await reader.read({ files: paths }, { signal });
  const contents = paths.map((path) => etcdClient?.get(path) ?? seen.files.get(path)?.content);
  const missing = paths.filter((_, i) => contents[i] === undefined);
  if (missing.length > 0) {
    const remedy = 'put them there, or name them in spec.externalEtcd as they are on this machine';
    return { outcomes: [error('ExternalEtcdClient', `missing: ${missing.join(', ')}`, remedy)] };
  }
  const [ca = '', cert = '', key = ''] = contents.map((content) => content?.toString() ?? '');
  return { ca, cert, key };
}

async function askedOf(
  context: PhaseContext,
  url: string,
  credentials: ClientCredentials,
  reader: HostReader,
): Promise<Outcome> {
  const name = 'ExternalEtcd';
  if (!url.startsWith('https:')) return ok(name, `${url} was not asked: it is not https`);
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(ANSWER_MS)]);
  try {
    const { version, healthy } = await probeEtcd(reader, url, credentials, signal);
    if (!isRecent(version)) {
      const message = `${url} is etcd ${version || 'of no known version'}, kubeadm wants ${OLDEST.join('.')} or later`;
      return error('ExternalEtcdVersion', message, 'upgrade etcd');
    }
    if (!healthy)
      return error(
        name,
        `${url} says that it is not healthy`,
        'see to that etcd first: it has no leader, or an alarm',
      );
    return ok(name, `${url} is etcd ${version}, healthy`);
  } catch (thrown) {
    if (context.signal.aborted) throw toKeelsonError(context.signal.reason);
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    const remedy = 'check the URL, firewalls, and whether the names in its certificate have this one';
    return error(name, `${url} does not answer to this host: ${message}`, remedy);
  }
}

function isRecent(version: string): boolean {
  const parts = version.split('.').map((part) => Number.parseInt(part, 10));
  const differing = OLDEST.findIndex((part, i) => parts[i] !== part);
  return differing === -1 || (parts[differing] ?? 0) > (OLDEST[differing] ?? 0);
}
