import type { HostPhase, Verdict } from '../../engine/phase.js';
import type { Change, FileChange } from '../../engine/types.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import type { ReadResult } from '../../host/types.js';
import { type CertificateInfo, inspectBundle } from '../../pki/inspect.js';
import { certificateIn, type Renewable, renewableOn, renewed, withCertificate } from '../../pki/renew.js';
import { lackingSans } from '../../pki/san.js';
import { CERTIFICATE_MODE, SECRET_MODE } from '../../pki/table.js';
import { RENEWED } from '../artefacts.js';
import type { KeelsonPhase, PhaseContext } from '../context.js';
import { type KubeletRenewal, renewKubelets } from './kubelet-client.js';
import { restartProgram, settle } from './settle.js';
import { obstacleTo, signer } from './signer.js';

/** Programs that read their kubeconfig at their start and never again. */
const RESTARTED: Readonly<Record<string, string>> = {
  'controller-manager.conf': 'kube-controller-manager',
  'scheduler.conf': 'kube-scheduler',
};
/** The API server reads these again within minutes, which is too late where the one before has expired. */
const SLOWLY_READ = ['apiserver-kubelet-client', 'front-proxy-client'];

export interface Renewal {
  /** Names to renew, as kubeadm has them. */
  names: ReadonlySet<string>;
  kubelets: KubeletRenewal['due'];
  /**
   * No API answers: all hosts get their files at once, since none of them can be healthy before the others are. Else
   * one host follows the other.
   */
  repair: boolean;
  /** Certificates that somebody else signed for the keys that are there, PEM, by `host:name`. Nothing is signed here. */
  given?: ReadonlyMap<string, string>;
}

export interface RenewalRun {
  phases: readonly KeelsonPhase[];
  /** Content of the artefacts that the plan names; undefined for those of others. */
  secret: (context: PhaseContext, artefact: string) => Promise<Buffer | undefined>;
  /** Kubeconfigs that were renewed, as they are now. */
  identities: () => readonly Identity[];
}

/** A renewed kubeconfig. `content` is a secret. */
export interface Identity {
  host: string;
  name: string;
  content: string;
}

const ARTEFACT = /^renewed:([^:]+):(.+)$/;

/** The phases of one renewal: they remember what was found at first, since a renewed file is as good as the old one. */
export function renewal({ names, kubelets, repair, given }: Renewal): RenewalRun {
  const before = new Map<string, { files: ReadonlyMap<string, string>; print: string }>();
  const made = new Map<string, Promise<Map<string, string>>>();
  const settled = new Set<string>();
  const identities: Identity[] = [];

  const wantedOn = (context: PhaseContext, host: string): Renewable[] =>
    renewableOn(context.config.cluster, context.hostNamed(host).role).filter(
      ({ name }) => names.has(name) && (given?.has(`${host}:${name}`) ?? true),
    );

  const plan = (context: PhaseContext, host: string, seen: ReadResult): Verdict => {
    context.trust.observed(host, seen);
    const due = wantedOn(context, host).flatMap((renewable) => {
      const [path] = renewable.paths;
      const content = seen.files.get(path)?.content?.toString();
      if (content === undefined) return [];
      const info = readable(certificateIn(renewable, content), path);
      const print = info?.x509.fingerprint256 ?? content;
      const first = before.get(`${host}:${path}`) ?? { files: textsOf(renewable, seen), print };
      before.set(`${host}:${path}`, first);
      const wanted = given?.get(`${host}:${renewable.name}`);
      const there = wanted !== undefined && readable(wanted, path)?.x509.fingerprint256 === print;
      return first.print === print && !there ? [{ renewable, info }] : [];
    });
    if (due.length === 0) return { standing: 'satisfied', reasons: [], changes: [] };
    const obstacles = due.flatMap(({ renewable }) => obstacleTo(context, renewable.authority) ?? []);
    if (given === undefined && obstacles.length > 0)
      return { standing: 'blocked', reasons: [...new Set(obstacles)], changes: [] };
    const now = new Date(context.now());
    const reasons = due.map(
      ({ renewable, info }) => `${renewable.name} ${reasonOf(context, host, renewable, info, now)}`,
    );
    const files = due.flatMap(({ renewable }, index) =>
      filesOf(host, renewable, reasons[index] ?? '').filter(
        // A certificate for the key that is there leaves that key.
        (change) => given === undefined || !change.path.endsWith('.key'),
      ),
    );
    const programs = programsToRestart(due, now);
    const restarts = programs.map(
      (program): Change => ({
        kind: 'action',
        name: 'restart',
        summary: `end ${program}, which its kubelet starts again`,
        params: { program },
        disrupts: true,
      }),
    );
    return { standing: 'drifted', reasons, changes: [...files, ...restarts, ...(repair ? [] : [SETTLE])] };
  };

  const files: HostPhase<PhaseContext> = {
    name: 'certs/renew',
    summary: 'new certificates, one host after the other',
    target: 'control-planes-and-etcd-hosts',
    serial: !repair,
    needs: [],
    provides: [RENEWED],
    observe: (context, host) => context.trust.request(host),
    plan,
    actions: {
      restart: async (_context, host, { params }) => restartProgram(host, params?.program ?? ''),
      settle: async (context, host) => settle(context, host),
    },
  };
  const settling: HostPhase<PhaseContext> = {
    name: 'certs/settle',
    summary: 'the control plane answers with its new certificates',
    target: 'control-planes-and-etcd-hosts',
    needs: [RENEWED],
    provides: [],
    runIf: () => repair,
    observe: () => ({}),
    plan: (_context, host) =>
      settled.has(host)
        ? { standing: 'satisfied', reasons: [], changes: [] }
        : { standing: 'drifted', reasons: ['no API answers'], changes: [SETTLE] },
    actions: {
      settle: async (context, host) => {
        await settle(context, host);
        settled.add(host.name);
      },
    },
  };
  const kubeletPhase = renewKubelets(
    { due: kubelets, before: new Map() },
    { needs: [], provides: [RENEWED] },
  );

  const newFiles = async (
    context: PhaseContext,
    host: string,
    renewable: Renewable,
    old: ReadonlyMap<string, string>,
  ) => {
    const certPem = given?.get(`${host}:${renewable.name}`);
    if (certPem !== undefined) return withCertificate(renewable, certPem, old);
    const authority = await signer(context, renewable.authority);
    const scope = { cluster: context.config.cluster, host: context.hostNamed(host) };
    const content = old.get(renewable.paths[0]) ?? '';
    return renewed(renewable, scope, authority, content, { now: new Date(context.now()) });
  };
  const issue = async (context: PhaseContext, host: string, renewable: Renewable) => {
    const old = before.get(`${host}:${renewable.paths[0]}`)?.files ?? new Map<string, string>();
    const files = await newFiles(context, host, renewable, old);
    if (renewable.kind === 'kubeconfig')
      identities.push({ host, name: renewable.name, content: files.get(renewable.paths[0]) ?? '' });
    return files;
  };

  return {
    phases: [files, kubeletPhase, settling],
    secret: async (context, artefact) => {
      const [, host, path = ''] = ARTEFACT.exec(artefact) ?? [];
      if (host === undefined) return undefined;
      const renewable = wantedOn(context, host).find(({ paths }) =>
        (paths as readonly string[]).includes(path),
      );
      if (renewable === undefined) throw new KeelsonError('BUG', `${path} is not renewed on ${host}`);
      const key = `${host}:${renewable.name}`;
      const issuing = made.get(key) ?? issue(context, host, renewable);
      made.set(key, issuing);
      const content = (await issuing).get(path);
      if (content === undefined) throw new KeelsonError('BUG', `no ${path} was made`);
      return Buffer.from(content);
    },
    identities: () => identities,
  };
}

const SETTLE: Change = { kind: 'action', name: 'settle', summary: 'wait until its control plane is healthy' };

function textsOf({ paths }: Renewable, seen: ReadResult): Map<string, string> {
  return new Map(paths.map((path) => [path, seen.files.get(path)?.content?.toString() ?? '']));
}

function filesOf(host: string, { kind, name, paths }: Renewable, reason: string): FileChange[] {
  return paths.map((path) => ({
    kind: 'file',
    op: 'update',
    path,
    mode: path.endsWith('.crt') ? CERTIFICATE_MODE : SECRET_MODE,
    content: {
      kind: 'secret',
      artefact: `renewed:${host}:${path}`,
      summary:
        kind === 'kubeconfig'
          ? `identity ${name}`
          : path.endsWith('.crt')
            ? `certificate ${name}`
            : 'private key',
    },
    reason,
  }));
}

function programsToRestart(
  due: readonly { renewable: Renewable; info: CertificateInfo | null }[],
  now: Date,
): string[] {
  const late = due.some(
    ({ renewable, info }) => SLOWLY_READ.includes(renewable.name) && (info === null || info.notAfter < now),
  );
  const holders = due.flatMap(({ renewable }) => RESTARTED[renewable.name] ?? []);
  return [...(late ? ['kube-apiserver'] : []), ...holders];
}

/** Why it is renewed, and what it will not be valid for any more. */
function reasonOf(
  context: PhaseContext,
  host: string,
  renewable: Renewable,
  info: CertificateInfo | null,
  now: Date,
): string {
  if (info === null) return 'can’t be read';
  const end = info.notAfter.toISOString();
  const period = info.notAfter < now ? `expired on ${end}` : `expires on ${end}`;
  if (renewable.kind === 'kubeconfig') return period;
  const scope = { cluster: context.config.cluster, host: context.hostNamed(host) };
  const lost = lackingSans(info.sans, renewable.row.sans(scope));
  return lost.length === 0 ? period : `${period}; no longer for ${lost.join(', ')}`;
}

function readable(pem: string | null, path: string): CertificateInfo | null {
  try {
    return pem === null ? null : inspectBundle(pem, path)[0];
  } catch (error) {
    if (error instanceof KeelsonError) return null;
    throw error;
  }
}
