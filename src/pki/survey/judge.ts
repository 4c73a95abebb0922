import type { ResolvedHost } from '../../config/types.js';
import { lackingSans, toSans } from '../san.js';
import type { AuthorityName } from '../table.js';
import type { FoundCertificate, SurveyFinding, SurveyItem } from './types.js';

/** The authorities that are the cluster's, by what their certificates and keys are known by. */
export type KnownAuthorities = Readonly<Partial<Record<AuthorityName, readonly FoundCertificate[]>>>;

export interface Judgement {
  warnDays: number;
  now: Date;
  authorities: KnownAuthorities;
  /** The authority that a trust bundle has to hold, where that is known. */
  wanted: (item: SurveyItem) => AuthorityName | null;
  hostNamed: (name: string) => ResolvedHost | undefined;
}

/** A kubelet renews its certificates at 70 to 90 % of their life. */
const OVERDUE = 0.95;

const RENEW = 'run keelson certs renew';

/** What is wrong with an item beyond what its own place told. */
export function judge(item: SurveyItem, judgement: Judgement): SurveyFinding[] {
  if (item.part === 'trust') {
    if (item.known) return trustFindings(item, judgement);
    // Nobody knows whether it is used.
    if (item.source !== 'object') return [];
    return trustFindings(item, judgement).map((found) =>
      found.severity === 'error' ? { ...found, severity: 'warning' } : found,
    );
  }
  const findings = periodFindings(item, judgement);
  if (item.source === 'handshake') return findings;
  if (item.name === 'kubelet-client') findings.push(...kubeletClientFindings(item, judgement));
  if (item.name === 'kubelet-server') findings.push(...kubeletServerFindings(item, judgement));
  return findings;
}

/** The end of a certificate, of a leaf with the intermediates that it comes with. */
function periodFindings(item: SurveyItem, { warnDays, now }: Judgement): SurveyFinding[] {
  if (item.findings.some(({ code }) => code === 'expired' || code === 'process-differs')) return [];
  const [first] = item.certificates;
  if (first === undefined) return [];
  // Nobody can check what signed itself but by comparing, and its program makes it anew when it starts.
  const minded = item.known && !(item.part === 'leaf' && isOwn(first));
  const ends = item.certificates.map(({ notAfter }) => notAfter).sort();
  const notAfter = ends[0] ?? first.notAfter;
  const left = Date.parse(notAfter) - now.getTime();
  const days = Math.floor(left / 86_400_000);
  const remedy = !minded ? '' : remedyFor(item);
  if (left < 0) {
    return [finding('expired', minded ? 'error' : 'note', `expired on ${notAfter}`, remedy)];
  }
  if (left >= warnDays * 86_400_000) return [];
  const rest = days === 0 ? `${Math.floor(left / 3_600_000)} hours` : `${days} days`;
  return [finding('expiring', minded ? 'warning' : 'note', `expires in ${rest}, on ${notAfter}`, remedy)];
}

function remedyFor({ name, part }: SurveyItem): string {
  if (part === 'authority') return 'replace this authority, and with it everything that it signed';
  return name === 'kubelet-server' ? 'restart the kubelet, and see its log' : `${RENEW} ${name}`;
}

/** A kubelet's, controller manager's or scheduler's own makeshift: the file holds the leaf and what signed it. */
function isOwn(leaf: FoundCertificate): boolean {
  return leaf.selfSigned || /-ca@\d+$/.test(leaf.issuer) || /^localhost@\d+$/.test(leaf.issuer);
}

function kubeletClientFindings(item: SurveyItem, judgement: Judgement): SurveyFinding[] {
  const [leaf] = item.certificates;
  const host = judgement.hostNamed(item.host);
  if (leaf === undefined || host === undefined) return [];
  const findings = signerFindings(leaf, judgement);
  const wanted = `system:node:${host.nodeRegistration.name}`;
  if (leaf.commonName !== wanted || !leaf.organizations.includes('system:nodes')) {
    const message = `is of ${leaf.subject} instead of CN=${wanted}, O=system:nodes`;
    findings.push(finding('subject-differs', 'error', message, `${RENEW} kubelet-client`));
  }
  const begin = Date.parse(leaf.notBefore);
  const life = Date.parse(leaf.notAfter) - begin;
  const age = (judgement.now.getTime() - begin) / life;
  if (age > OVERDUE && age <= 1) {
    const message = `has ${Math.floor(age * 100)} % of its life behind it, and the kubelet has not renewed it`;
    findings.push(finding('not-rotated', 'warning', message, 'see the kubelet’s log, and keelson status'));
  }
  return findings;
}

function kubeletServerFindings(item: SurveyItem, judgement: Judgement): SurveyFinding[] {
  const [leaf] = item.certificates;
  const host = judgement.hostNamed(item.host);
  // What a kubelet signs itself is checked by nobody.
  if (leaf === undefined || host === undefined || isOwn(leaf)) return [];
  const expected = toSans([host.nodeIP]);
  const lacking = lackingSans(expected, leaf.sans);
  const sans =
    lacking.length === 0
      ? []
      : [
          finding(
            'sans-lacking',
            'error',
            `is not valid for ${lacking.join(', ')}`,
            'have it issued anew with these names',
          ),
        ];
  return [...signerFindings(leaf, judgement), ...sans];
}

function signerFindings(leaf: FoundCertificate, { authorities }: Judgement): SurveyFinding[] {
  const { ca } = authorities;
  if (ca === undefined || ca.some(({ fingerprint }) => fingerprint === leaf.signedBy)) return [];
  const message = `is not signed by the cluster's CA (its issuer is '${leaf.issuer}')`;
  return [finding('authority-differs', 'error', message, 'have it issued anew')];
}

function trustFindings(item: SurveyItem, judgement: Judgement): SurveyFinding[] {
  const { certificates } = item;
  if (certificates.length === 0) return [];
  const now = judgement.now.toISOString();
  const over = certificates.filter(({ notAfter }) => notAfter < now);
  const findings: SurveyFinding[] = [];
  if (over.length === certificates.length) {
    const message = 'trusts nothing but what has expired';
    findings.push(finding('expired', 'error', message, 'put certificates there that are valid'));
  } else if (over.length > 0) {
    const names = over.map(({ subject }) => subject).join(', ');
    findings.push(finding('expired', 'note', `also trusts what has expired: ${names}`, 'take it out'));
  }
  const wanted = judgement.wanted(item);
  const authorities = wanted === null ? undefined : judgement.authorities[wanted];
  if (authorities === undefined || wanted === null) return findings;
  const trusted = new Set(certificates.map(({ publicKey }) => publicKey));
  const lacking = authorities.filter(({ publicKey }) => !trusted.has(publicKey));
  if (lacking.length > 0) {
    const none = lacking.length === authorities.length;
    const which = lacking.map(({ serial }) => serial).join(', ');
    const message = none
      ? `does not trust the cluster's ${wanted}`
      : `lacks one of the cluster's ${wanted} (serial ${which})`;
    findings.push(
      finding('trust-lacks-authority', none ? 'error' : 'warning', message, 'bring the authority there'),
    );
  }
  return findings;
}

function finding(
  code: SurveyFinding['code'],
  severity: SurveyFinding['severity'],
  message: string,
  remedy: string,
): SurveyFinding {
  return { code, severity, message, remedy };
}
