import type { Finding } from './check.js';

/**
 * Findings with the errors of ignored checks turned to warnings, as kubeadm does it.
 * @param ignoredOn names of checks for a host; case does not matter, `all` is every check
 */
export function withIgnored(
  findings: readonly Finding[],
  ignoredOn: (host: string) => readonly string[],
): Finding[] {
  return findings.map((finding) => {
    if (finding.severity !== 'error') return finding;
    const names = ignoredOn(finding.host).map((name) => name.trim().toLowerCase());
    const ignored = names.includes('all') || names.includes(finding.check.toLowerCase());
    return ignored ? { ...finding, severity: 'warning' } : finding;
  });
}
