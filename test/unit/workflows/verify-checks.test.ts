import { describe, expect, it } from 'vitest';
import { verifyText } from '../../../src/cli/verify-text.js';
import { KeelsonError } from '../../../src/errors/keelson-error.js';
import {
  CHECK_NAMES,
  CHECKS,
  type CheckRow,
  reportOf,
  selectChecks,
  suspect,
} from '../../../src/workflows/verify/checks.js';

const row = (over: Partial<CheckRow>): CheckRow => ({
  check: 'pod-to-pod',
  from: 'cp1',
  to: 'w1',
  result: 'passed',
  durationMs: 12,
  detail: '',
  ...over,
});

describe('the choice of checks', () => {
  it('leaves out the one that stops a kubelet and the one of network policies unless they are asked for', () => {
    const all = { only: [], skip: [], reschedule: false, networkPolicy: false };
    const asked = ['network-policy', 'reschedule'];
    expect(selectChecks(all)).toEqual(new Set(CHECK_NAMES.filter((name) => !asked.includes(name))));
    expect(selectChecks({ ...all, reschedule: true, networkPolicy: true })).toEqual(new Set(CHECK_NAMES));
    expect(selectChecks({ ...all, only: ['reschedule'] })).toEqual(new Set(['reschedule']));
  });

  it('takes only what is named, less what is skipped', () => {
    const chosen = selectChecks({
      only: ['dns', 'exec', 'logs'],
      skip: ['exec'],
      reschedule: false,
      networkPolicy: false,
    });
    expect([...chosen]).toEqual(['dns', 'logs']);
  });

  it('refuses names that are no checks, and an empty choice', () => {
    const codeOf = (only: string[], skip: string[]) => {
      try {
        selectChecks({ only, skip, reschedule: false, networkPolicy: false });
      } catch (error) {
        return error instanceof KeelsonError ? error.code : error;
      }
      return null;
    };
    expect(codeOf(['dsn'], [])).toBe('USAGE');
    expect(codeOf([], ['toString'])).toBe('USAGE');
    expect(codeOf(['dns'], ['dns'])).toBe('USAGE');
  });
});

describe('the report', () => {
  it('is in the order of the checks, counts, and has a hint at each failure', () => {
    const rows = [
      row({ check: 'dns', result: 'failed' }),
      row({ check: 'nodes' }),
      row({ check: 'exec', result: 'skipped' }),
    ];
    const report = reportOf('demo', rows, 1000);
    expect(report).toMatchObject({ ok: false, passed: 1, failed: 1, skipped: 1 });
    expect(report.rows.map((one) => one.check)).toEqual(['nodes', 'dns', 'exec']);
    expect(report.rows.map((one) => one.hint)).toEqual([undefined, CHECKS.dns.hint, undefined]);
  });

  it('is content with skipped checks', () => {
    expect(reportOf('demo', [row({ result: 'skipped' })], 1).ok).toBe(true);
  });
});

describe('the host to look at first', () => {
  const failed = (from: string, to: string) => row({ from, to, result: 'failed' });
  const others = row({ check: 'node-port', from: 'w2', to: 'w2', result: 'failed' });

  it('is the one that all failed ways have in common, whatever else failed', () => {
    expect(suspect([failed('cp1', 'w1'), failed('w1', 'w2'), failed('w1', 'cp1'), others])).toBe('w1');
  });

  it('is unknown for one failure, for failures everywhere, and between the same two hosts', () => {
    expect(suspect([failed('cp1', 'w1')])).toBeNull();
    expect(suspect([failed('cp1', 'w1'), failed('w2', 'cp1'), failed('w1', 'w2')])).toBeNull();
    expect(suspect([failed('cp1', 'w1'), failed('w1', 'cp1')])).toBeNull();
  });
});

describe('the table', () => {
  const report = reportOf(
    'demo',
    [
      row({ from: 'cp1', to: 'w1', durationMs: 20 }),
      row({ from: 'w1', to: 'cp1', durationMs: 40 }),
      row({ from: 'w1', to: 'w2', result: 'failed', durationMs: 10_000, detail: 'i/o timeout' }),
      row({
        check: 'pods',
        from: '',
        to: 'w2',
        result: 'failed',
        detail: 'ErrImageNeverPull',
        evidence: ['Warning Failed: no such image'],
      }),
    ],
    12_000,
  );

  it('shows failures one by one and what passed as one row a check', () => {
    expect(verifyText(report, false).split('\n').slice(0, 4)).toEqual([
      'CHECK       FROM         TO           RESULT  TIME    DETAIL',
      'pods        -            w2           FAIL    12 ms   ErrImageNeverPull',
      'pod-to-pod  w1           w2           FAIL    10.0 s  i/o timeout',
      'pod-to-pod  2 different  2 different  ok      40 ms   2 of 3',
    ]);
  });

  it('shows every row when asked', () => {
    expect(verifyText(report, true).match(/^pod-to-pod /gm)).toHaveLength(3);
  });

  it('has evidence, a hint for each failed check, and a line that sums up', () => {
    const text = verifyText(report, false);
    expect(text).toContain('pods to w2:\n  | Warning Failed: no such image\n');
    expect(text).toContain(`  → pods: ${CHECKS.pods.hint}\n`);
    expect(text).toContain(`  → pod-to-pod: ${CHECKS['pod-to-pod'].hint}\n`);
    expect(text.trimEnd().split('\n').at(-1)).toBe('demo: 2 of 4 checks FAILED, in 12.0 s.');
  });

  it('says so when all is well', () => {
    expect(verifyText(reportOf('demo', [row({})], 900), false)).toContain(
      'demo: all 1 checks passed, in 900 ms.',
    );
  });
});
