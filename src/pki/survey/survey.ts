import type { ResolvedHost } from '../../config/types.js';
import type { AuthorityName } from '../table.js';
import { certificateBook } from './certificate.js';
import { type ExtraPlaces, hostItems } from './host-items.js';
import { judge, type KnownAuthorities } from './judge.js';
import { presentedItem, trustItem } from './presented-items.js';
import type {
  CertificateSurvey,
  FoundCertificate,
  HostFindings,
  PlacedFinding,
  Presented,
  SurveyFinding,
  SurveyItem,
  TrustObject,
} from './types.js';

export interface SurveyInput {
  cluster: string;
  now: Date;
  /** Certificates with fewer days left are warned of. */
  warnDays: number;
  hosts: readonly HostFindings[];
  placesOf: (host: ResolvedHost) => ExtraPlaces;
  presented: readonly Presented[];
  trust: readonly TrustObject[];
  /** The host whose authorities are the cluster's; another's are taken where it has none. */
  first: string;
  /** What could not be looked at. */
  unseen: readonly PlacedFinding[];
}

const AUTHORITIES: readonly AuthorityName[] = ['ca', 'front-proxy-ca', 'etcd-ca'];
const SEVERITIES = ['error', 'warning', 'note'] as const;

/** Puts together what was found, and says what is wrong. Pure; the result holds no secret. */
export function surveyCertificates(input: SurveyInput): CertificateSurvey {
  const { hosts, now, warnDays } = input;
  const book = certificateBook(now);
  const joined = hosts.filter(hasCertificates);
  const onDisk = joined.flatMap((host) => hostItems(host, input.placesOf(host.host), book));
  const presented = input.presented
    .filter(({ host }) => joined.some((one) => one.host.name === host))
    .map((one) => presentedItem(one, onDisk, book));
  const trust = input.trust.map((one) => trustItem(one, book));
  const raw = [...onDisk, ...presented, ...trust];
  const authorities = authoritiesIn(raw, input);
  const preferred = Object.values(authorities).flatMap((all) => all.map(({ fingerprint }) => fingerprint));
  const signed = raw.map((item) => ({
    ...item,
    certificates: item.certificates.map((one) => ({
      ...one,
      signedBy: book.signerOf(one.fingerprint, preferred),
    })),
  }));
  const wants = new Map(input.trust.map(({ place, authority }) => [place, authority]));
  const judgement = {
    now,
    warnDays,
    authorities,
    hostNamed: (name: string) => hosts.find(({ host }) => host.name === name)?.host,
    wanted: (item: SurveyItem) => (item.source === 'object' ? (wants.get(item.place) ?? null) : 'ca'),
  };
  const items = signed.map((item) => ({
    ...item,
    findings: [...item.findings, ...judge(item, judgement), ...unlikeOthers(item, signed, authorities)],
  }));
  const findings = [...input.unseen, ...notJoined(hosts), ...items.flatMap(placed)].sort(
    (a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity),
  );
  return {
    cluster: input.cluster,
    at: now.toISOString(),
    warnDays,
    items,
    authorities: Object.fromEntries(
      Object.entries(authorities).map(([name, all]) => [name, all.map(({ fingerprint }) => fingerprint)]),
    ),
    findings,
    problems: findings.filter(({ severity }) => severity !== 'note').length,
  };
}

function placed({ host, place, name, findings }: SurveyItem): PlacedFinding[] {
  return findings.map((finding) => ({ host, place, name, ...finding }));
}

function hasCertificates({ files }: HostFindings): boolean {
  return files.size > 0;
}

function notJoined(hosts: readonly HostFindings[]): PlacedFinding[] {
  return hosts
    .filter((host) => !hasCertificates(host))
    .map(({ host }) => ({
      host: host.name,
      place: '',
      name: '',
      code: 'not-joined',
      severity: 'note',
      message: 'has no certificates: it has not joined yet',
      remedy: 'run keelson apply',
    }));
}

/** Authorities as the host that is worked through has them, else as whoever has them. */
function authoritiesIn(items: readonly SurveyItem[], { first }: SurveyInput): KnownAuthorities {
  const found: Partial<Record<AuthorityName, readonly FoundCertificate[]>> = {};
  for (const name of AUTHORITIES) {
    const holders = items.filter(
      (item) => item.part === 'authority' && item.name === name && item.certificates.length > 0,
    );
    // etcd's own hosts come before the control planes, which only have a copy.
    const keyed = holders.filter(({ keyMatches }) => keyMatches === true);
    const [holder] = [...keyed, ...holders].sort(
      (a, b) => Number(b.host === first) - Number(a.host === first),
    );
    if (holder !== undefined) found[name] = holder.certificates;
  }
  return found;
}

/** All hosts have to have the same authorities and the same service-account key. */
function unlikeOthers(
  item: SurveyItem,
  all: readonly SurveyItem[],
  authorities: KnownAuthorities,
): SurveyFinding[] {
  const different = (others: string): SurveyFinding[] => [
    {
      code: 'hosts-differ',
      severity: 'error',
      message: `is another one than on ${others}`,
      remedy: 'find out which one is the cluster’s, and put it on all control planes',
    },
  ];
  if (item.part === 'authority') {
    const wanted = authorities[item.name as AuthorityName];
    const known = new Set(wanted?.map(({ fingerprint }) => fingerprint));
    const unknown = item.certificates.some(({ fingerprint }) => !known.has(fingerprint));
    const same = !unknown && item.certificates.length === wanted?.length;
    return wanted === undefined || same || item.certificates.length === 0 ? [] : different('other hosts');
  }
  if (item.name !== 'sa' || !item.known) return [];
  const other = all.find(
    (one) =>
      one.name === 'sa' && one.known && one.publicKey !== undefined && one.publicKey !== item.publicKey,
  );
  return other === undefined || item.publicKey === undefined ? [] : different(other.host);
}
