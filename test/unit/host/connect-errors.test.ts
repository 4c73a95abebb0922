import { describe, expect, it } from 'vitest';
import { KeelsonError } from '../../../src/errors/keelson-error.js';
import { connectError } from '../../../src/host/connect-errors.js';
import { combineFailures } from '../../../src/host/pool.js';

const systemError = (code: string): Error => Object.assign(new Error(code), { code });

describe('a failure to connect', () => {
  it.each([
    ['ECONNREFUSED', 'refused the connection', true],
    ['EHOSTUNREACH', 'is unreachable', true],
    ['ENOTFOUND', 'is no known name', false],
    ['ETIMEDOUT', 'did not answer in time', true],
  ])('%s says what happened, with a hint', (code, what, retryable) => {
    for (const cause of [systemError(code), new AggregateError([systemError(code)])]) {
      const error = connectError('cp1', 'root@cp1:22', cause);
      expect(error).toMatchObject({
        code: 'CONNECTION',
        host: 'cp1',
        message: `root@cp1:22 ${what}`,
        retryable,
        cause,
      });
      expect(error.hint).toBeTruthy();
    }
  });

  it('to log in names keys and methods', () => {
    const cause = Object.assign(new Error('All configured authentication methods failed'), {
      level: 'client-authentication',
    });
    const attempts = {
      user: 'root',
      tried: ['agent (2 keys)', '/k'],
      offered: ['publickey', 'password'],
      skipped: [],
    };
    expect(connectError('cp1', 'root@cp1:22', cause, attempts)).toMatchObject({
      code: 'AUTHENTICATION',
      message:
        'root@cp1:22 refused the login: tried agent (2 keys), /k; the server takes publickey, password',
    });
    expect(connectError('cp1', 't', cause).message).toContain('there was no key to try');
    expect(connectError('cp1', 't', new Error('Too many authentication failures')).code).toBe(
      'AUTHENTICATION',
    );
  });

  it('that has a code already keeps it', () => {
    const error = connectError('cp1', 't', new KeelsonError('HOST_KEY', 'other key'));
    expect(error).toMatchObject({ code: 'HOST_KEY', host: 'cp1' });
  });
});

describe('failures of several hosts', () => {
  const failure = (host: string, code: 'CONNECTION' | 'HOST_KEY' | 'ABORTED'): KeelsonError =>
    new KeelsonError(code, `${host} is bad`, { host, hint: `mend ${code}` });

  it('keep a code that they share', () => {
    const error = combineFailures([failure('a', 'CONNECTION'), failure('b', 'CONNECTION')], 3);
    expect(error).toMatchObject({
      code: 'CONNECTION',
      message: '2 of 3 hosts failed\n  a: a is bad\n  b: b is bad',
      hint: 'mend CONNECTION',
    });
  });

  it('become HOSTS_FAILED where they differ, and ABORTED where one was', () => {
    expect(combineFailures([failure('a', 'CONNECTION'), failure('b', 'HOST_KEY')], 2).code).toBe(
      'HOSTS_FAILED',
    );
    expect(combineFailures([failure('a', 'CONNECTION'), failure('b', 'ABORTED')], 2).code).toBe('ABORTED');
  });

  it('are left as they are where there is but one host', () => {
    const only = failure('a', 'HOST_KEY');
    expect(combineFailures([only], 1)).toBe(only);
  });
});
