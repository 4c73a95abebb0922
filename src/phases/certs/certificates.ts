import { modeDrift } from '../../engine/files.js';
import type { Target, Verdict } from '../../engine/phase.js';
import type { Change } from '../../engine/types.js';
import type { ReadResult } from '../../host/types.js';
import type { PkiEntry } from '../../pki/plan-certificates.js';
import { CERTIFICATE_MODE, SECRET_MODE } from '../../pki/table.js';
import { AUTHORITIES, CREDENTIALS } from '../artefacts.js';
import { defineHostPhase, type PhaseContext } from '../context.js';
import { verdictOf } from '../rendered.js';

/** Name of the secret artefact of a file of a host's trust. */
function trustArtefact(host: string, path: string): string {
  return `trust:${host}:${path}`;
}

/** kubeadm's phase names, by the entry of the certificate table that each makes. */
const PHASES: readonly { phase: string; entry: string; summary: string }[] = [
  { phase: 'certs/ca', entry: 'ca', summary: 'the cluster CA' },
  { phase: 'certs/apiserver', entry: 'apiserver', summary: 'the API server’s serving certificate' },
  {
    phase: 'certs/apiserver-kubelet-client',
    entry: 'apiserver-kubelet-client',
    summary: 'the API server’s client certificate for kubelets',
  },
  { phase: 'certs/front-proxy-ca', entry: 'front-proxy-ca', summary: 'the front-proxy CA' },
  {
    phase: 'certs/front-proxy-client',
    entry: 'front-proxy-client',
    summary: 'the front-proxy client certificate',
  },
  { phase: 'certs/etcd-ca', entry: 'etcd-ca', summary: 'the etcd CA' },
  { phase: 'certs/etcd-server', entry: 'etcd-server', summary: 'etcd’s serving certificate' },
  { phase: 'certs/etcd-peer', entry: 'etcd-peer', summary: 'etcd’s peer certificate' },
  {
    phase: 'certs/etcd-healthcheck-client',
    entry: 'etcd-healthcheck-client',
    summary: 'etcd’s health-check client certificate',
  },
  {
    phase: 'certs/apiserver-etcd-client',
    entry: 'apiserver-etcd-client',
    summary: 'the API server’s client certificate for etcd',
  },
  { phase: 'certs/sa', entry: 'sa', summary: 'the service-account key pair' },
  { phase: 'kubeconfig/admin', entry: 'admin', summary: 'admin.conf' },
  { phase: 'kubeconfig/super-admin', entry: 'super-admin', summary: 'super-admin.conf' },
  { phase: 'kubeconfig/kubelet', entry: 'kubelet', summary: 'kubelet.conf of the first control plane' },
  { phase: 'kubeconfig/controller-manager', entry: 'controller-manager', summary: 'controller-manager.conf' },
  { phase: 'kubeconfig/scheduler', entry: 'scheduler', summary: 'scheduler.conf' },
];

const AUTHORITY_ENTRIES = ['ca', 'front-proxy-ca', 'etcd-ca', 'sa'];
const FIRST_ONLY = ['kubelet'];

/** Who may have the entry; a host whose table lacks it has nothing to do. */
function targetOf(entry: string): Exclude<Target, 'cluster'> {
  if (FIRST_ONLY.includes(entry)) return 'first-control-plane';
  return entry.startsWith('etcd-') ? 'control-planes-and-etcd-hosts' : 'control-planes';
}

/** Hosts of one role have the same entries. */
const oneOfEachRole = ({ first, inventory }: PhaseContext): string[] => [
  first.name,
  ...inventory
    .filter((host) => host.role === 'etcd')
    .slice(0, 1)
    .map((host) => host.name),
];

/** kubeadm's `certs …` and `kubeconfig …` phases. */
export const certificatePhases = PHASES.map(({ phase, entry, summary }) => {
  const authority = AUTHORITY_ENTRIES.includes(entry);
  return defineHostPhase({
    name: phase,
    summary,
    target: targetOf(entry),
    group: authority ? 'certs/authorities' : 'credentials',
    needs: authority ? [] : [AUTHORITIES],
    provides: authority ? [AUTHORITIES, CREDENTIALS] : [CREDENTIALS],
    // What a host has of kubeconfigs is known only once it was looked at.
    runIf: (context) =>
      phase.startsWith('kubeconfig/') ||
      oneOfEachRole(context).some((host) =>
        context.trust.entries(host).some((candidate) => candidate.name === entry),
      ),
    observe: (context, host) => context.trust.request(host),
    plan: (context, host, seen) => {
      context.trust.observed(host, seen);
      const found = context.trust.entries(host).find((candidate) => candidate.name === entry);
      return found === undefined
        ? { standing: 'satisfied', reasons: [], changes: [] }
        : verdictOfEntry(context, host, found, seen);
    },
  });
});

function verdictOfEntry(_context: PhaseContext, host: string, entry: PkiEntry, seen: ReadResult): Verdict {
  const errors = entry.findings.filter((finding) => finding.severity === 'error');
  if (entry.standing === 'invalid' && !entry.sansDiffer) {
    return {
      standing: 'blocked',
      reasons: errors.map((finding) => `${finding.path} ${finding.message}: ${finding.remedy}`),
      changes: [],
    };
  }
  const changes = entry.paths.flatMap((path): Change[] => {
    const state = seen.files.get(path);
    const missing = state === undefined || state.type === 'missing';
    // An authority's key may be kept elsewhere: then nothing is missing.
    if (missing && entry.external && path.endsWith('.key')) return [];
    const mode = path.endsWith('.crt') ? CERTIFICATE_MODE : SECRET_MODE;
    const reissue = entry.standing === 'invalid' && entry.sansDiffer;
    // kubeadm writes the public key with 0600 where it makes it, and with 0644 where it downloads it.
    const readable = !missing && path.endsWith('.pub') && modeDrift(state, CERTIFICATE_MODE) === null;
    const drift = missing || readable ? null : modeDrift(state, mode);
    if (!missing && !reissue && !entry.serverDiffers && drift === null) return [];
    const reason = missing
      ? `${path} is missing`
      : reissue
        ? (errors[0]?.message ?? 'names are lacking')
        : `${path} ${entry.serverDiffers ? entry.findings[0]?.message : drift}`;
    return [
      {
        kind: 'file',
        op: missing ? 'create' : 'update',
        path,
        mode,
        content: { kind: 'secret', artefact: trustArtefact(host, path), summary: summaryOf(entry, path) },
        dirMode: 0o755,
        reason,
      },
    ];
  });
  return verdictOf(changes);
}

function summaryOf(entry: PkiEntry, path: string): string {
  if (entry.kind === 'kubeconfig') return `identity ${entry.name}`;
  return path.endsWith('.crt')
    ? `certificate ${entry.name}`
    : path.endsWith('.pub')
      ? 'public key'
      : 'private key';
}
