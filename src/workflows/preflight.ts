import { KeelsonError } from '../errors/keelson-error.js';
import type { Finding } from '../phases/preflight/check.js';
import { withIgnored } from '../phases/preflight/ignore.js';
import { inspectHosts } from '../phases/preflight/inspect.js';
import { table } from '../report/table.js';
import type { Session } from './session.js';

export interface PreflightOptions {
  /** Names of checks whose errors are warnings, beside those of the cluster file; `all` for every one. */
  ignore?: readonly string[];
  /** Only findings of these hosts. */
  hosts?: readonly string[];
}

/**
 * Looks at all hosts at once for what would stand in the way. Reads only. Warnings are emitted as notes.
 * @returns all findings, those that are `ok` included
 * @throws PREFLIGHT with every error and warning in its message, and all findings in its details
 */
export async function runPreflight(session: Session, options: PreflightOptions = {}): Promise<Finding[]> {
  const { context } = session;
  const { config } = context;
  const everywhere = [...config.spec.ignorePreflightErrors, ...(options.ignore ?? [])];
  const inspected = (await inspectHosts(context, session.readers)).filter(
    ({ host }) => options.hosts?.includes(host) ?? true,
  );
  const findings = withIgnored(inspected, (host) => [
    ...everywhere,
    ...(context.hostNamed(host).nodeRegistration.ignorePreflightErrors ?? []),
  ]);
  const errors = findings.filter(({ severity }) => severity === 'error');
  if (errors.length > 0) throw refusal(errors, findings);
  for (const { hosts, check, message, remedy } of grouped(
    findings.filter(({ severity }) => severity === 'warning'),
  )) {
    const [host = ''] = hosts;
    const place = hosts.length === 1 ? '' : ` (${hosts.join(', ')})`;
    const text = `${check}${place}: ${message}${remedy === '' ? '' : ` → ${remedy}`}`;
    session.emit({ type: 'note', host: hosts.length === 1 ? host : '', level: 'warning', text });
  }
  return findings;
}

function refusal(errors: readonly Finding[], findings: readonly Finding[]): KeelsonError {
  const hosts = new Set(errors.map(({ host }) => host));
  const names = [...new Set(errors.map(({ check }) => check))];
  const count = errors.length === 1 ? '1 error' : `${errors.length} errors`;
  const shown = findingsTable(findings).trimEnd().replaceAll(/^/gm, '  ');
  return new KeelsonError(
    'PREFLIGHT',
    `${count} on ${[...hosts].join(', ')}, nothing was changed\n${shown}`,
    {
      hint: `do what the table says; to go on in spite of an error: --ignore-preflight-errors ${names.join(',')}`,
      details: { findings },
    },
  );
}

/** Errors and warnings as a table, errors first; with `all` also what is in order. */
export function findingsTable(findings: readonly Finding[], options: { all?: boolean } = {}): string {
  const severities = options.all === true ? SEVERITIES : SEVERITIES.slice(0, 2);
  const rows = severities.flatMap((severity) =>
    grouped(findings.filter((finding) => finding.severity === severity)).map(
      ({ hosts, check, message, remedy }) => [severity, hosts.join(','), check, message, remedy],
    ),
  );
  return table(['SEVERITY', 'HOST', 'CHECK', 'FINDING', 'REMEDY'], rows);
}

const SEVERITIES = ['error', 'warning', 'ok'] as const;

/** One entry for what is the same on several hosts. */
function grouped(findings: readonly Finding[]): (Finding & { hosts: string[] })[] {
  const groups = new Map<string, Finding & { hosts: string[] }>();
  for (const finding of findings) {
    const key = JSON.stringify([finding.check, finding.message, finding.remedy]);
    const known = groups.get(key);
    if (known === undefined) groups.set(key, { ...finding, hosts: [finding.host] });
    else known.hosts.push(finding.host);
  }
  return [...groups.values()];
}
