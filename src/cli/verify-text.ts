import { duration, table } from '../report/table.js';
import {
  CHECK_NAMES,
  CHECKS,
  type CheckName,
  type CheckRow,
  suspect,
  type VerifyReport,
} from '../workflows/verify/checks.js';

const HEADER = ['CHECK', 'FROM', 'TO', 'RESULT', 'TIME', 'DETAIL'];
const RESULT = { passed: 'ok', failed: 'FAIL', skipped: 'skipped' } as const;
/** Failures of one check that are shown one by one unless all rows are asked for. */
const FAILURES_SHOWN = 12;

/**
 * The report for people: a table, evidence and remedies of what failed, a line that sums up.
 * @param all every row; otherwise what passed is one row a check
 */
export function verifyText(report: VerifyReport, all: boolean): string {
  const rows = all
    ? report.rows.map(cells)
    : CHECK_NAMES.flatMap((check) => summarised(report.rows.filter((row) => row.check === check)));
  const failed = report.rows.filter((row) => row.result === 'failed');
  const parts = [table(HEADER, rows)];
  const evidence = failed.filter((row) => (row.evidence ?? []).length > 0);
  for (const row of evidence)
    parts.push(`${placeOf(row)}:\n${(row.evidence ?? []).map((line) => `  | ${line}\n`).join('')}`);
  if (failed.length > 0) parts.push(remedies(failed));
  parts.push(`${summary(report)}\n`);
  return parts.join('\n');
}

function cells(row: CheckRow): string[] {
  const time = row.result === 'skipped' ? '' : duration(row.durationMs);
  return [row.check, row.from || '-', row.to || '-', RESULT[row.result], time, row.detail];
}

/** Failures and skips one by one, what passed as one row. */
function summarised(rows: readonly CheckRow[]): string[][] {
  const failed = rows.filter((row) => row.result === 'failed');
  const passed = rows.filter((row) => row.result === 'passed');
  const lines = failed.slice(0, FAILURES_SHOWN).map(cells);
  const [first] = rows;
  if (first === undefined) return [];
  if (failed.length > FAILURES_SHOWN)
    lines.push([first.check, '', '', 'FAIL', '', `and ${failed.length - FAILURES_SHOWN} more: see -o wide`]);
  if (passed.length === 1 && passed[0] !== undefined) lines.push(cells(passed[0]));
  else if (passed.length > 1) {
    const slowest = Math.max(...passed.map((row) => row.durationMs));
    const details = new Set(passed.map((row) => row.detail));
    const common = details.size === 1 ? [...details].filter((detail) => detail !== '') : [];
    const detail = [`${passed.length} of ${passed.length + failed.length}`, ...common].join(', ');
    lines.push([
      first.check,
      side(passed.map((row) => row.from)),
      side(passed.map((row) => row.to)),
      'ok',
      duration(slowest),
      detail,
    ]);
  }
  return [...lines, ...rows.filter((row) => row.result === 'skipped').map(cells)];
}

function side(names: readonly string[]): string {
  const different = [...new Set(names)];
  return different.length === 1 ? different[0] || '-' : `${different.length} different`;
}

function placeOf(row: CheckRow): string {
  return [row.check, row.from === '' ? '' : `from ${row.from}`, row.to === '' ? '' : `to ${row.to}`]
    .filter((part) => part !== '')
    .join(' ');
}

function remedies(failed: readonly CheckRow[]): string {
  const checks = [...new Set(failed.map((row): CheckName => row.check))];
  const lines = checks.map((check) => `  → ${check}: ${CHECKS[check].hint}\n`);
  const host = suspect(failed);
  if (host !== null)
    lines.unshift(`  → every way between pods that failed begins or ends on ${host}: look there first\n`);
  return lines.join('');
}

function summary({ cluster, passed, failed, skipped, durationMs }: VerifyReport): string {
  const left = skipped > 0 ? `, ${skipped} skipped` : '';
  const time = duration(durationMs);
  return failed === 0
    ? `${cluster}: all ${passed} checks passed${left}, in ${time}.`
    : `${cluster}: ${failed} of ${passed + failed} checks FAILED${left}, in ${time}.`;
}
