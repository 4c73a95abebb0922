import { describe, expect, it } from 'vitest';
import { KeelsonError } from '../../../../src/errors/keelson-error.js';
import { withLostHost } from '../../../../src/workflows/upgrade/lost.js';

const STEP = { hop: { from: 'v1.35.4', to: 'v1.36.3' }, direction: 'upgrade' } as const;

describe('withLostHost', () => {
  it('says what to do about a host that went away, and keeps the code', () => {
    const lost = withLostHost(
      STEP,
      new KeelsonError('CONNECTION', 'the connection was lost', { host: 'w1' }),
    );
    expect(lost).toMatchObject({
      code: 'CONNECTION',
      host: 'w1',
      message: expect.stringContaining('w1 was lost on the way from v1.35.4 to v1.36.3'),
      hint: expect.stringContaining('keelson node remove w1 --unreachable'),
    });
  });

  it('leaves other errors as they are', () => {
    const error = new KeelsonError('DEADLINE', 'too late', { host: 'w1' });
    expect(withLostHost(STEP, error)).toBe(error);
  });
});
