import { planText } from '../report/plan-text.js';
import { table } from '../report/table.js';
import { findingsTable } from '../workflows/preflight.js';
import type { UpgradePlan } from '../workflows/upgrade/plan.js';
import type { ComponentVersion } from '../workflows/upgrade/versions.js';

/** An upgrade's plan for people: the way, versions, what stands in the way, and every change. */
export function upgradePlanText(upgrade: UpgradePlan, options: { diffs: boolean }): string {
  const { cluster, from, to, path, versions, findings, plan } = upgrade;
  const way = [from, ...path.map((hop) => hop.to)].join(' → ');
  const head = path.length === 0 ? `${cluster} is at ${to}.` : `${cluster}: ${way}`;
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  const judged = findings.some(({ severity }) => severity !== 'ok')
    ? `${findingsTable(findings)}\n`
    : 'Nothing stands in the way.\n\n';
  const changes =
    plan === null
      ? `The changes of each step are shown by keelson upgrade plan --to ${path[0]?.to ?? to}.\n`
      : planText(plan, options);
  const end =
    errors === 0 || path.length === 0
      ? ''
      : `\n${errors} ${errors === 1 ? 'error stands' : 'errors stand'} in the way of the upgrade.\n`;
  return `${head}\n\n${versionsTable(versions)}\n${judged}${changes}${end}`;
}

/** Hosts with the same versions share a line. */
function versionsTable(versions: readonly ComponentVersion[]): string {
  const groups = new Map<string, ComponentVersion & { hosts: string[] }>();
  for (const version of versions) {
    const key = JSON.stringify([version.component, version.current, version.target]);
    const known = groups.get(key);
    if (known === undefined) groups.set(key, { ...version, hosts: [version.host] });
    else known.hosts.push(version.host);
  }
  const rows = [...groups.values()].map(({ component, current, target, hosts }) => [
    component,
    current ?? 'none',
    target === null || target === current ? '' : target,
    hosts.filter((host) => host !== '').join(','),
  ]);
  return table(['COMPONENT', 'CURRENT', 'TARGET', 'HOSTS'], rows);
}
