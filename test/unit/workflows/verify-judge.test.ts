import { describe, expect, it } from 'vitest';
import {
  judgeAll,
  judgeName,
  judgeReached,
  judgeService,
  readDial,
} from '../../../src/workflows/verify/judge.js';

const PODS = new Map([
  ['probe-a', 'cp1'],
  ['probe-b', 'w1'],
]);
const answered = (...responses: string[]) => ({ responses, errors: [], lookup: null });
const refused = (url: string) => ({
  responses: [],
  errors: [`Get "${url}": dial tcp: connect: connection refused`],
  lookup: null,
});

describe('the report of a probe pod', () => {
  it('has responses and errors side by side', () => {
    const body = '{"errors":["Get \\"http://10.0.0.1:8080/hostname\\": EOF"],"responses":["probe-a"]}';
    expect(readDial({ status: 200, body })).toEqual({
      responses: ['probe-a'],
      errors: ['Get "http://10.0.0.1:8080/hostname": EOF'],
      lookup: null,
    });
  });

  it('tells a name without an address from a connection that failed', () => {
    const body = 'host and/or port param are invalid. lookup probe on 10.96.0.10:53: no such host\n';
    expect(readDial({ status: 400, body }).lookup).toBe('lookup probe on 10.96.0.10:53: no such host');
  });

  it('is an error where it is no JSON', () => {
    const outcome = readDial({ status: 502, body: 'Bad Gateway' });
    expect(outcome.errors).toEqual(['the probe pod answered 502: Bad Gateway']);
  });
});

describe('a connection to one pod', () => {
  it('passes only when that very pod answers', () => {
    expect(judgeReached(answered('probe-a'), 'probe-a').passed).toBe(true);
    expect(judgeReached(answered('probe-b'), 'probe-a')).toEqual({
      passed: false,
      detail: 'another one answered: "probe-b"',
    });
    expect(judgeReached(answered(), 'probe-a').passed).toBe(false);
  });

  it('fails with the reason, without the URL that the row shows', () => {
    expect(judgeReached(refused('http://10.244.1.5:8080/hostname'), 'probe-a')).toEqual({
      passed: false,
      detail: 'dial tcp: connect: connection refused',
    });
  });
});

describe('connections to a service', () => {
  it('pass when all succeeded and every pod was met, also over several rounds', () => {
    const met = new Set<string>();
    expect(judgeService(answered('probe-a', 'probe-a'), PODS, met, 2)).toEqual({
      passed: false,
      detail: 'met 1 of 2 pods; never met the pod on w1',
    });
    expect(judgeService(answered('probe-b'), PODS, met, 2)).toEqual({
      passed: true,
      detail: 'met 2 of 2 pods',
    });
  });

  it('fail when one of them failed, whoever was met', () => {
    const outcome = { responses: ['probe-a', 'probe-b'], errors: ['i/o timeout'], lookup: null };
    expect(judgeService(outcome, PODS, new Set(), 1)).toEqual({
      passed: false,
      detail: '1 of 3 connections failed: i/o timeout',
    });
  });

  it('fail when something else answers on the address', () => {
    expect(judgeService(answered('nginx'), PODS, new Set(), 1)).toEqual({
      passed: false,
      detail: 'another one answered: "nginx"',
    });
  });

  it('fail when none was made', () => {
    expect(judgeService(answered(), PODS, new Set(), 0).passed).toBe(false);
  });
});

describe('a name', () => {
  const isProbe = (body: string) => PODS.has(body);

  it('passes when it leads to the right place', () => {
    expect(judgeName(answered('probe-a'), ['10.96.1.1'], isProbe).passed).toBe(true);
    expect(judgeName(answered('nginx'), ['10.96.1.1'], isProbe).passed).toBe(false);
  });

  it('fails when it does not resolve', () => {
    const outcome = { responses: [], errors: [], lookup: 'lookup probe: i/o timeout' };
    expect(judgeName(outcome, ['10.96.1.1'], isProbe)).toEqual({
      passed: false,
      detail: 'lookup probe: i/o timeout',
    });
  });

  it('passes when it resolves rightly to an address that does not answer, which is no fault of DNS', () => {
    expect(judgeName(refused('http://10.96.1.1:8080/hostname'), ['10.96.1.1'], isProbe)).toEqual({
      passed: true,
      detail: 'resolves to 10.96.1.1, which does not answer',
    });
    expect(judgeName(refused('http://[fd00::a]:8080/hostname'), ['fd00::a'], isProbe).passed).toBe(true);
  });

  it('fails when it resolves to another address', () => {
    expect(judgeName(refused('http://192.0.2.1:8080/hostname'), ['10.96.1.1'], isProbe)).toEqual({
      passed: false,
      detail: 'resolves to 192.0.2.1 instead of 10.96.1.1',
    });
  });
});

describe('attempts at an address of each family', () => {
  const passed = { passed: true, detail: 'met 2 of 2 pods' };
  const failed = { passed: false, detail: 'no answer within 5 s' };

  it('pass together, and fail with the address that does not answer', () => {
    const both = (second: typeof passed) =>
      judgeAll([
        { address: '10.244.0.2', verdict: passed },
        { address: 'fd00::2', verdict: second },
      ]);
    expect(both(passed)).toEqual(passed);
    expect(both(failed)).toEqual({ passed: false, detail: 'at fd00::2: no answer within 5 s' });
    expect(judgeAll([{ address: '10.244.0.2', verdict: failed }])).toEqual(failed);
  });
});
