import { X509Certificate } from 'node:crypto';
import type { HostPhase } from '../../engine/phase.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import type { Host, ReadResult } from '../../host/types.js';
import { KUBELET_UNIT } from '../../manifests/kubelet.js';
import { type CertificateInfo, inspectBundle } from '../../pki/inspect.js';
import { readKubeconfig } from '../../pki/kubeconfig.js';
import { kubeletClient } from '../../pki/renew.js';
import { SECRET_MODE } from '../../pki/table.js';
import type { PhaseContext } from '../context.js';
import { kubeletConf } from '../kubelet-conf.js';
import { KUBELET_CLIENT_CERTIFICATE, KUBELET_CONF } from '../paths.js';
import { signer } from './signer.js';

const STAGED = `${KUBELET_CLIENT_CERTIFICATE}.keelson`;

/** The certificate alone: its key stays where it is. */
/** Prints a kubelet's client certificate, without the key beside it; nothing where there is none. */
export const CERTIFICATE_PROBE = `sed -n '/-BEGIN CERTIFICATE-/,/-END CERTIFICATE-/p' ${KUBELET_CLIENT_CERTIFICATE} 2>/dev/null; true`;

/**
 * Puts a certificate and the key that the kubelet has into a new file, and has the kubelet's link point to it, as
 * the kubelet itself does. Arguments: the kubelet's link, the file with the certificate, the new file's name.
 */
export const INSTALL = `set -e
umask 077
new="\${1%/*}/$3"
{ cat "$2"; sed -n '/-BEGIN [A-Z ]*PRIVATE KEY-/,/-END [A-Z ]*PRIVATE KEY-/p' "$1"; } > "$new.tmp"
grep -q 'PRIVATE KEY-' "$new.tmp"
mv "$new.tmp" "$new"
ln -s "$new" "$1.tmp"
mv -T "$1.tmp" "$1"
rm -f "$2"
`;

export interface KubeletRenewal {
  /** Whether a certificate has to be renewed, and why; null where not. */
  due: (certificate: CertificateInfo) => string | null;
  /** Fingerprints of the certificates that were found at first, by host. */
  before: Map<string, string>;
}

/**
 * Renews the client certificates of kubelets that can't do it themselves any more: keelson signs the key that the
 * kubelet has, so that no API is needed and the key stays on its host.
 */
export function renewKubelets(
  { due, before }: KubeletRenewal,
  particulars: Pick<HostPhase<PhaseContext>, 'needs' | 'provides'>,
): HostPhase<PhaseContext> {
  return {
    name: 'certs/kubelet-client',
    summary: 'client certificates of kubelets, signed anew for the keys that they have',
    target: 'nodes',
    ...particulars,
    observe: () => ({ files: [KUBELET_CONF], probes: { certificate: CERTIFICATE_PROBE } }),
    plan: (_context, host, seen) => {
      const found = certificateOf(seen);
      if (found === null) return { standing: 'satisfied', reasons: [], changes: [] };
      const print = found.x509.fingerprint256;
      const known = before.get(host) ?? print;
      before.set(host, known);
      const reason = due(found);
      if (reason === null || known !== print) return { standing: 'satisfied', reasons: [], changes: [] };
      const summary = `sign ${KUBELET_CLIENT_CERTIFICATE} anew`;
      return {
        standing: 'drifted',
        reasons: [`${KUBELET_CLIENT_CERTIFICATE} ${reason}`],
        changes: [
          { kind: 'action', name: 'sign', summary: `${summary}: ${reason}` },
          {
            kind: 'service',
            op: 'restart',
            unit: KUBELET_UNIT,
            reason: 'the kubelet reads its certificate at its start',
          },
        ],
      };
    },
    actions: { sign },
  };
}

async function sign(context: PhaseContext, host: Host): Promise<void> {
  const seen = await host.read({ files: [KUBELET_CONF], probes: { certificate: CERTIFICATE_PROBE } });
  const found = certificateOf(seen);
  if (found === null) throw new KeelsonError('CONFLICT', 'the kubelet’s certificate is not there any more');
  const authority = await signer(context, 'ca');
  const publicKey = found.x509.publicKey.export({ type: 'spki', format: 'der' });
  const scope = { cluster: context.config.cluster, host: context.hostNamed(host.name) };
  const now = new Date(context.now());
  const certificate = await kubeletClient(publicKey, scope, authority, { now });
  const files = [{ path: STAGED, content: Buffer.from(certificate), mode: SECRET_MODE }];
  const conf = seen.files.get(KUBELET_CONF)?.content?.toString() ?? '';
  const view = readKubeconfig(conf, KUBELET_CONF);
  // A kubelet.conf of kubeadm's init has the first certificate in it for ever.
  if (view.certPem !== null) {
    files.push({
      path: KUBELET_CONF,
      content: Buffer.from(kubeletConf(conf, view.server)),
      mode: SECRET_MODE,
    });
  }
  await host.put(files);
  const stamp = now.toISOString().slice(0, 19).replaceAll(/[T:]/g, '-');
  await host.script({
    name: 'certs/kubelet-client',
    text: INSTALL,
    args: [KUBELET_CLIENT_CERTIFICATE, STAGED, `kubelet-client-${stamp}.pem`],
  });
}

/** The certificate of a host that is a node; null for one that is not. */
function certificateOf(seen: ReadResult): CertificateInfo | null {
  const pem = seen.probes.get('certificate')?.stdout ?? '';
  const node = seen.files.get(KUBELET_CONF)?.content !== undefined;
  if (!node || !pem.includes('BEGIN CERTIFICATE')) return null;
  return inspectBundle(new X509Certificate(pem).toString(), KUBELET_CLIENT_CERTIFICATE)[0];
}
