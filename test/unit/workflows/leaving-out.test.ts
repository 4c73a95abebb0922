import { expect, test } from 'vitest';
import { KeelsonError } from '../../../src/errors/keelson-error.js';
import { combineFailures } from '../../../src/host/pool.js';
import { failedWorkers, leavingOut } from '../../../src/workflows/leaving-out.js';
import { CLUSTER, KUBEADM, parse, stream } from '../config/support.js';

const config = parse(
  stream(`${CLUSTER}    - {name: 'x[1-3]', role: worker, address: '10.0.1.[1-3]'}\n`, KUBEADM),
);
const ALL = ['cp1', 'w1', 'x1', 'x2', 'x3'];
const gone = (host: string) => new KeelsonError('CONNECTION', `${host} is gone`, { host });

test('work is done again without the workers that failed, until it succeeds', async () => {
  const asked: (readonly string[] | undefined)[] = [];
  const told: string[][] = [];
  const finding = (host: string, severity: string) => ({
    host,
    severity,
    check: 'Disk',
    message: 'full',
    remedy: '',
  });
  const { result, leftOut } = await leavingOut(
    config,
    undefined,
    async (hosts) => {
      asked.push(hosts);
      if (asked.length === 1) throw combineFailures([gone('x1'), gone('x3')], 5);
      if (asked.length === 2)
        throw new KeelsonError('PREFLIGHT', 'no', {
          details: { findings: [finding('w1', 'error'), finding('cp1', 'warning')] },
        });
      return 'done';
    },
    (failed) => told.push([...failed.keys()]),
  );
  expect(result).toBe('done');
  expect(asked).toEqual([undefined, ['cp1', 'w1', 'x2'], ['cp1', 'x2']]);
  expect(told).toEqual([['x1', 'x3'], ['w1']]);
  expect([...leftOut]).toEqual([
    ['x1', 'x1 is gone'],
    ['x3', 'x3 is gone'],
    ['w1', 'full'],
  ]);
});

test.each([
  ['a control plane', gone('cp1')],
  ['a control plane beside workers', combineFailures([gone('x1'), gone('cp1')], 5)],
  ['no host', new KeelsonError('CONFIG', 'wrong')],
  ['an interruption', new KeelsonError('ABORTED', 'interrupted', { host: 'x1' })],
  ['a lock', new KeelsonError('LOCKED', 'locked', { host: 'x1' })],
])('an error about %s ends it', async (_what, error) => {
  expect(failedWorkers(error, config)).toBeNull();
  const work = leavingOut(
    config,
    ALL,
    async () => Promise.reject(error),
    () => undefined,
  );
  await expect(work).rejects.toBe(error);
});

test('it ends where nobody is left', async () => {
  const work = leavingOut(
    config,
    ['x1'],
    async () => Promise.reject(gone('x1')),
    () => undefined,
  );
  await expect(work).rejects.toMatchObject({ message: 'x1 is gone' });
});
