import { table } from './table.js';

/** What the texts need of a certificate survey. */
export interface CertificatesView {
  cluster: string;
  warnDays: number;
  problems: number;
  items: readonly ItemView[];
  findings: readonly (FindingView & { host: string; place: string; name: string })[];
}

interface ItemView {
  host: string;
  source: string;
  place: string;
  name: string;
  part: string;
  known: boolean;
  certificates: readonly CertificateView[];
  keyMatches: boolean | null;
  findings: readonly FindingView[];
}

interface CertificateView {
  subject: string;
  commonName: string;
  issuer: string;
  serial: string;
  notBefore: string;
  notAfter: string;
  daysLeft: number;
  sans: { dns: readonly string[]; ips: readonly string[] };
}

interface FindingView {
  severity: string;
  message: string;
  remedy: string;
}

/**
 * A survey for people: a row a certificate, then what is wrong.
 * @param wide also trust bundles, keys, files that nobody is known to use, and names
 */
export function certificatesText(survey: CertificatesView, wide: boolean): string {
  const rows = survey.items
    .filter((item) => wide || (item.known && (item.part === 'leaf' || item.part === 'authority')))
    .flatMap((item) => rowsOf(item, wide));
  const header = ['HOST', 'NAME', 'WHERE', 'ISSUER', 'EXPIRES', 'LEFT', 'STATE'];
  const findings = survey.findings.filter(({ severity }) => wide || severity !== 'note');
  const lines = findings.map(({ severity, host, place, message, remedy }) => {
    const where = [host === '' ? 'cluster' : host, place].filter(Boolean).join(':');
    return `  ${SIGNS[severity] ?? ''} ${where} ${message}${remedy === '' ? '' : `: ${remedy}`}`;
  });
  const verdict =
    survey.problems === 0
      ? `Nothing is wrong with the certificates of ${survey.cluster}, and none ends within ${survey.warnDays} days.`
      : `Certificates of ${survey.cluster}: ${survey.problems} ${survey.problems === 1 ? 'problem' : 'problems'}`;
  const end = [verdict, ...lines].join('\n');
  return `${table(wide ? [...header, 'KIND', 'SERIAL', 'SUBJECT AND NAMES'] : header, rows)}\n${end}\n`;
}

const SIGNS: Readonly<Record<string, string>> = { error: '✖', warning: '!', note: 'i' };

function rowsOf(item: ItemView, wide: boolean): string[][] {
  const [first] = item.certificates;
  const state = stateOf(item);
  const host = item.host === '' ? '-' : item.host;
  const shown = item.part === 'trust' || item.part === 'authority' ? item.certificates : [first];
  return shown.map((certificate) => {
    const row =
      certificate === undefined
        ? ['-', '-', '-', state]
        : [certificate.issuer, certificate.notAfter.slice(0, 10), left(certificate), state];
    const names = certificate && [...certificate.sans.dns, ...certificate.sans.ips];
    const more = [
      `${item.part} (${item.source})`,
      certificate?.serial ?? '-',
      [certificate?.subject ?? '-', ...(names ?? [])].join(' '),
    ];
    return [host, item.name, item.place, ...row, ...(wide ? more : [])];
  });
}

function stateOf({ findings, keyMatches }: ItemView): string {
  const severity = ['error', 'warning'].find((level) => findings.some((one) => one.severity === level));
  if (severity !== undefined) return severity;
  return keyMatches === true ? 'ok, key matches' : 'ok';
}

function left({ daysLeft, notAfter, notBefore }: CertificateView): string {
  if (daysLeft < 0) return 'expired';
  // Lives that are told in hours are not told in days.
  const lifeHours = (Date.parse(notAfter) - Date.parse(notBefore)) / 3_600_000;
  return lifeHours < 48 && daysLeft < 1 ? '< 1 d' : `${daysLeft} d`;
}

/** A survey in Prometheus' text format. Times are seconds since the epoch. */
export function certificatesMetrics(survey: CertificatesView, at: string): string {
  const cluster = survey.cluster;
  const certificates = survey.items
    .filter(({ known }) => known)
    .flatMap((item) =>
      item.certificates.map((certificate, position) => ({
        labels: {
          cluster,
          host: item.host,
          name: item.name,
          part: item.part,
          source: item.source,
          place: item.place,
          position: String(position),
          common_name: certificate.commonName,
          issuer: certificate.issuer,
          serial: certificate.serial,
        },
        certificate,
      })),
    );
  const count = (severity: string) => survey.findings.filter((one) => one.severity === severity).length;
  return [
    ...family(
      'keelson_certificate_not_after_seconds',
      'Time at which a certificate expires.',
      certificates.map(({ labels, certificate }) => [labels, Date.parse(certificate.notAfter) / 1000]),
    ),
    ...family(
      'keelson_certificate_not_before_seconds',
      'Time from which on a certificate is valid.',
      certificates.map(({ labels, certificate }) => [labels, Date.parse(certificate.notBefore) / 1000]),
    ),
    ...family(
      'keelson_certificate_findings',
      'Number of findings, by severity.',
      ['error', 'warning', 'note'].map((severity) => [{ cluster, severity }, count(severity)]),
    ),
    ...family('keelson_certificate_check_seconds', 'Time at which the certificates were looked at.', [
      [{ cluster }, Date.parse(at) / 1000],
    ]),
    '',
  ].join('\n');
}

function family(
  name: string,
  help: string,
  samples: readonly (readonly [Record<string, string>, number])[],
): string[] {
  const lines = samples.map(([labels, value]) => {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
    return `${name}{${pairs.join(',')}} ${value}`;
  });
  return [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, ...lines];
}

const escaped = (text: string) =>
  text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
