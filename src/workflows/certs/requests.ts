import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { controlPlanes, etcdHosts } from '../../config/inventory.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import type { ReadResult } from '../../host/types.js';
import { checkLeaf } from '../../pki/check-leaf.js';
import { isError } from '../../pki/findings.js';
import { parsePrivateKey } from '../../pki/keys.js';
import { makeRequest } from '../../pki/make-request.js';
import { expectedOf, keyIn, type Renewable, renewableOn } from '../../pki/renew.js';
import { authoritiesOf, certificatePaths } from '../../pki/table.js';
import type { Session } from '../session.js';

/** A certificate request for the key that a host has. No secret. */
export interface HostRequest {
  host: string;
  name: string;
  /** PKCS #10, PEM. */
  pem: string;
}

/** Requests and certificates lie in a folder for each host. */
const fileOf = (folder: string, host: string, name: string, end: 'csr' | 'crt') =>
  join(folder, host, `${name}.${end}`);

/**
 * Requests for what an authority elsewhere is to sign, for the keys that are on the hosts: they stay there. What a host
 * lacks is left out.
 */
export async function certificateRequests(
  session: Session,
  names: ReadonlySet<string>,
): Promise<HostRequest[]> {
  const found = await renewablesOf(session, names);
  const requests = found.map(async ({ host, renewable, files }): Promise<HostRequest[]> => {
    const [path] = renewable.paths;
    const keyPem = keyIn(renewable, files);
    if (!files.has(path) || keyPem === null) return [];
    const expected = expectedOf(renewable, scopeOf(session, host));
    return [{ host, name: renewable.name, pem: await makeRequest(expected, parsePrivateKey(keyPem, path)) }];
  });
  return (await Promise.all(requests)).flat();
}

/** Writes requests as `HOST/NAME.csr` below a folder. @returns the files */
export async function writeRequests(folder: string, requests: readonly HostRequest[]): Promise<string[]> {
  return Promise.all(
    requests.map(async ({ host, name, pem }) => {
      const file = fileOf(folder, host, name, 'csr');
      await mkdir(join(folder, host), { recursive: true });
      await writeFile(file, pem);
      return file;
    }),
  );
}

/**
 * Certificates that lie as `HOST/NAME.crt` below a folder, intermediates behind the leaf, by `host:name`.
 * @throws USAGE where there is none for any host of the cluster
 */
export async function readSigned(folder: string, hosts: readonly string[]): Promise<Map<string, string>> {
  const signed = new Map<string, string>();
  for (const host of hosts) {
    const files = await readdir(join(folder, host)).catch(() => []);
    for (const file of files.filter((name) => name.endsWith('.crt'))) {
      const name = file.slice(0, -'.crt'.length);
      signed.set(`${host}:${name}`, await readFile(fileOf(folder, host, name, 'crt'), 'utf8'));
    }
  }
  if (signed.size > 0) return signed;
  throw new KeelsonError('USAGE', `${folder} has no certificates`, {
    hint: 'put them there as HOST/NAME.crt, beside what keelson certs renew --csr-only wrote',
  });
}

/**
 * Makes sure that certificates signed elsewhere are of the keys on their hosts, of the cluster's authorities, valid,
 * and what the cluster file asks for.
 * @throws PKI with everything that is wrong
 */
export async function refuseUnfit(session: Session, given: ReadonlyMap<string, string>): Promise<void> {
  const { context } = session;
  const { cluster } = context.config;
  const names = new Set([...given.keys()].map((key) => key.slice(key.indexOf(':') + 1)));
  const found = await renewablesOf(session, names);
  const known = new Set(found.map(({ host, renewable }) => `${host}:${renewable.name}`));
  const problems = [...given.keys()]
    .filter((key) => !known.has(key))
    .map((key) => `${key}: no such certificate`);
  for (const { host, renewable, files } of found) {
    const certPem = given.get(`${host}:${renewable.name}`);
    if (certPem === undefined) continue;
    const [certPath, keyPath = certPath] = renewable.paths;
    const row = authoritiesOf(cluster).find(({ name }) => name === renewable.authority);
    const caPath = certificatePaths(cluster, row ?? { baseName: renewable.authority }).cert;
    const leaf = {
      certPem,
      keyPem: keyIn(renewable, files),
      caPem: files.get(caPath) ?? '',
      certPath,
      keyPath,
      caPath,
    };
    const findings = checkLeaf(expectedOf(renewable, scopeOf(session, host)), leaf, new Date(context.now()));
    problems.push(...findings.filter(isError).map(({ message }) => `${host}:${renewable.name} ${message}`));
  }
  if (problems.length === 0) return;
  throw new KeelsonError('PKI', `these certificates can't be used:\n  ${problems.join('\n  ')}`, {
    hint: 'nothing was changed; have them signed anew from the requests of keelson certs renew --csr-only',
    details: problems,
  });
}

interface OnHost {
  host: string;
  renewable: Renewable;
  /** Contents of the host's files, by path. */
  files: ReadonlyMap<string, string>;
}

async function renewablesOf(session: Session, names: ReadonlySet<string>): Promise<OnHost[]> {
  const { context } = session;
  const { config } = context;
  const hosts = [...controlPlanes(config), ...etcdHosts(config)].filter(({ name }) =>
    session.hosts.has(name),
  );
  const found = await Promise.all(
    hosts.map(async ({ name: host, role }) => {
      const files = textsOf(
        await context.reader(host).read(context.trust.request(host), { signal: context.signal }),
      );
      const renewables = renewableOn(config.cluster, role).filter(({ name }) => names.has(name));
      return renewables.map((renewable) => ({ host, renewable, files }));
    }),
  );
  return found.flat();
}

function textsOf({ files }: ReadResult): Map<string, string> {
  return new Map(
    [...files].flatMap(([path, { content }]): [string, string][] =>
      content === undefined ? [] : [[path, content.toString()]],
    ),
  );
}

function scopeOf({ context }: Session, host: string) {
  return { cluster: context.config.cluster, host: context.hostNamed(host) };
}
