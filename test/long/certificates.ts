import { X509Certificate } from 'node:crypto';
import { request } from 'node:https';
import { connect } from 'node:tls';
import { type E2eLab, onNode } from '../e2e/support.js';

const PEM = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;
/** A PEM certificate in base64, as kubeconfigs and Secrets have it. */
const EMBEDDED = /LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t[A-Za-z0-9+/=]+/g;
/** A handshake or an answer takes no longer. */
const ANSWER_MS = 10_000;

/** Every certificate in a text, also those in base64, indented, or in a string of JSON. */
export function certificatesIn(text: string): X509Certificate[] {
  const embedded = [...text.matchAll(EMBEDDED)].map(([base64]) => Buffer.from(base64, 'base64').toString());
  return [text, ...embedded]
    .map((part) => part.replaceAll('\\n', '\n').replaceAll(/^[ \t]+/gm, ''))
    .flatMap((part) => [...part.matchAll(PEM)])
    .flatMap(([pem]) => {
      try {
        return [new X509Certificate(pem)];
      } catch {
        return [];
      }
    });
}

/** Whether a certificate is one of these authorities, or signed by one. */
export function belongsTo(certificate: X509Certificate, authorities: readonly X509Certificate[]): boolean {
  return authorities.some(
    (authority) =>
      certificate.fingerprint256 === authority.fingerprint256 ||
      (certificate.checkIssued(authority) && certificate.verify(authority.publicKey)),
  );
}

const MARK = '=== ';
const PLACES = '/etc/kubernetes /var/lib/kubelet /var/lib/keelson /root/.kube';

/** Every file of a host that has certificates in it, also volumes of its pods, by path; keys are left out. */
export async function certificateFiles(lab: E2eLab, node: string): Promise<Map<string, X509Certificate[]>> {
  const text = await onNode(
    lab,
    node,
    `grep -rlIE -e 'BEGIN CERTIFICATE|certificate(-authority)?-data: ' ${PLACES} 2>/dev/null |
while read -r file; do echo "${MARK}$file"; sed '/BEGIN.*KEY/,/END.*KEY/d; /client-key-data/d' "$file"; done`,
  );
  return new Map(
    text
      .split(`\n${MARK}`)
      .map((part, index) => (index === 0 ? part.slice(MARK.length) : part))
      .map((part): [string, X509Certificate[]] => [part.slice(0, part.indexOf('\n')), certificatesIn(part)]),
  );
}

/** Keys of all objects in etcd, with their values as they lie there. */
export async function etcdObjects(lab: E2eLab): Promise<{ key: string; value: Buffer }[]> {
  const pki = '/etc/kubernetes/pki/etcd';
  const credentials = `--cacert ${pki}/ca.crt --cert ${pki}/healthcheck-client.crt --key ${pki}/healthcheck-client.key`;
  const range = JSON.stringify({
    key: Buffer.from('/registry/').toString('base64'),
    range_end: Buffer.from('/registry0').toString('base64'),
  });
  const answer = await onNode(
    lab,
    'cp1',
    `curl -sS --fail -m 60 ${credentials} -d '${range}' https://127.0.0.1:2379/v3/kv/range`,
  );
  const { kvs = [] } = JSON.parse(answer) as { kvs?: { key: string; value?: string }[] };
  return kvs.map(({ key, value = '' }) => ({
    key: Buffer.from(key, 'base64').toString(),
    value: Buffer.from(value, 'base64'),
  }));
}

/** What whoever connects is shown; servers that want a certificate show theirs before they refuse. */
export function presented(host: string, port: number): Promise<X509Certificate> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, rejectUnauthorized: false });
    socket.setTimeout(ANSWER_MS, () => socket.destroy(new Error(`${host}:${port} does not answer`)));
    socket.on('error', reject);
    socket.on('secureConnect', () => {
      const certificate = socket.getPeerX509Certificate();
      socket.destroy();
      if (certificate === undefined) reject(new Error(`${host}:${port} shows no certificate`));
      else resolve(certificate);
    });
  });
}

/** Status of an answer to somebody; 0 where the connection was refused or ended without one. */
export function answerTo(
  url: string,
  identity: { cert?: Buffer | string; key?: Buffer | string; token?: string },
): Promise<number> {
  const { token, ...tls } = identity;
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return new Promise((resolve) => {
    const sent = request(
      url,
      { ...tls, headers, rejectUnauthorized: false, agent: false, timeout: ANSWER_MS },
      (answer) => {
        answer.resume();
        resolve(answer.statusCode ?? 0);
      },
    );
    sent.on('timeout', () => sent.destroy());
    sent.on('error', () => resolve(0));
    sent.end();
  });
}
