import { attempt, checkLeaf, type LeafExpectation } from './check-leaf.js';
import { type Finding, finding } from './findings.js';
import { inspectBundle } from './inspect.js';
import { type KubeconfigView, readKubeconfig } from './kubeconfig.js';

export interface KubeconfigExpectation {
  server: string;
  identity: Pick<LeafExpectation, 'commonName' | 'organizations'>;
  /** The cluster's authority, PEM, and where it stands. */
  caPem: string;
  caPath: string;
}

/**
 * Everything that is wrong with an existing kubeconfig at `now`. Another server is a warning, as kubeadm has
 * it. Credentials in files of their own (the kubelet's rotated ones) are looked up in `files` by path, and
 * left unchecked where they are not there.
 */
export function checkKubeconfig(
  expected: KubeconfigExpectation,
  text: string,
  path: string,
  now: Date,
  files: ReadonlyMap<string, Buffer> = new Map(),
): Finding[] {
  const view = attempt(() => readKubeconfig(text, path), path);
  if ('failure' in view) return [view.failure];
  return [
    ...checkServer(view.value, expected, path),
    ...checkAuthority(view.value, expected, path, files),
    ...checkIdentity(view.value, expected, path, now, files),
  ];
}

function checkServer(view: KubeconfigView, expected: KubeconfigExpectation, path: string): Finding[] {
  if (view.server === expected.server) return [];
  const message = `points to ${view.server || 'no server'} instead of ${expected.server}`;
  return [finding('server-differs', path, message, 'remove the file so that it is written anew', 'warning')];
}

function checkAuthority(
  view: KubeconfigView,
  expected: KubeconfigExpectation,
  path: string,
  files: ReadonlyMap<string, Buffer>,
): Finding[] {
  const pem = view.caPem ?? (view.caFile && files.get(view.caFile)?.toString());
  if (pem === undefined) return [];
  const trusted = attempt(() => inspectBundle(pem ?? '', path), path);
  if ('failure' in trusted) return [trusted.failure];
  const authorities = attempt(() => inspectBundle(expected.caPem, expected.caPath), expected.caPath);
  if ('failure' in authorities) return [authorities.failure];
  const known = new Set(authorities.value.map((info) => info.x509.fingerprint256));
  if (trusted.value.some((info) => known.has(info.x509.fingerprint256))) return [];
  const message = `does not trust ${expected.caPath}`;
  return [finding('authority-differs', path, message, 'remove the file so that it is written anew')];
}

function checkIdentity(
  view: KubeconfigView,
  expected: KubeconfigExpectation,
  path: string,
  now: Date,
  files: ReadonlyMap<string, Buffer>,
): Finding[] {
  const fromFile = (file: string | null) => (file === null ? undefined : files.get(file)?.toString());
  const certPem = view.certPem ?? fromFile(view.certFile);
  if (certPem === undefined) {
    if (view.certFile !== null || view.token !== null) return [];
    return [
      finding(
        'certificate-missing',
        path,
        'has no client certificate',
        'remove the file so that it is written anew',
      ),
    ];
  }
  const leaf: LeafExpectation = {
    ...expected.identity,
    usages: ['clientAuth'],
    sans: { dns: [], ips: [] },
    identityMatters: true,
  };
  const certPath = view.certPem === null ? (view.certFile ?? path) : path;
  const keyPath = view.keyPem === null ? (view.keyFile ?? path) : path;
  const keyPem = view.keyPem ?? fromFile(view.keyFile) ?? null;
  return checkLeaf(
    leaf,
    { certPem, keyPem, caPem: expected.caPem, certPath, keyPath, caPath: expected.caPath },
    now,
  );
}
