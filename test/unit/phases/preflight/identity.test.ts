import { describe, expect, it } from 'vitest';
import {
  clockSkew,
  machineId,
  productUuid,
  uniqueHostname,
} from '../../../../src/phases/preflight/identity.js';
import { CP2, config, W1 } from '../../manifests/fixture.js';
import { judge, problems, subject } from './support.js';

const others = [subject({ host: CP2 }), subject({ host: W1 })];

describe('HostnameUnique', () => {
  it('names the host that has it too', () => {
    expect(problems(judge(uniqueHostname, {}, others))).toEqual([]);
    const [outcome] = judge(uniqueHostname, { facts: { hostname: 'w1' } }, others);
    expect(outcome).toMatchObject({ severity: 'error', message: 'the hostname w1 is also that of w1' });
  });
});

describe('MachineID', () => {
  it('must be there and unique', () => {
    expect(problems(judge(machineId, {}, others))).toEqual([]);
    expect(problems(judge(machineId, { facts: { machineId: '' } }, others))).toEqual(['error MachineID']);
    const copied = { machineId: 'w1'.padEnd(32, '0') };
    expect(problems(judge(machineId, { facts: copied }, others))).toEqual(['error MachineID']);
  });
});

describe('ProductUUID', () => {
  it('must be unique where there is one', () => {
    expect(judge(productUuid, {}, others)).toEqual([]);
    const twin = subject({ host: W1, facts: { productUuid: 'x' } });
    expect(problems(judge(productUuid, { facts: { productUuid: 'x' } }, [twin]))).toEqual([
      'error ProductUUID',
    ]);
    expect(problems(judge(productUuid, { facts: { productUuid: 'y' } }, [twin]))).toEqual([]);
  });
});

describe('ClockSkew', () => {
  const skewed = (clockSkewMs: number) => ({ facts: { clockSkewMs } });

  it.each([
    [0, []],
    [-1_900, []],
    [2_500, ['warning ClockSkew']],
    [-299_000, ['warning ClockSkew']],
    [-300_002, ['error ClockSkew']],
    [86_400_000, ['error ClockSkew']],
  ])('of %i ms to here', (ms, expected) => {
    expect(problems(judge(clockSkew, skewed(ms)))).toEqual(expected);
  });

  it('between members of etcd is a warning from a second on', () => {
    const near = subject({ host: CP2, facts: { clockSkewMs: -600 } });
    const worker = subject({ host: W1, facts: { clockSkewMs: -600 } });
    expect(problems(judge(clockSkew, skewed(600), [near]))).toEqual(['warning ClockSkew']);
    expect(problems(judge(clockSkew, skewed(300), [near]))).toEqual([]);
    expect(problems(judge(clockSkew, skewed(600), [worker]))).toEqual([]);
    const etcd = { external: { endpoints: [], caFile: '', certFile: '', keyFile: '' } };
    expect(problems(judge(clockSkew, { ...skewed(600), config: config({}, { etcd }) }, [near]))).toEqual([]);
  });

  it('between hosts is an error from five minutes on', () => {
    const far = subject({ host: W1, facts: { clockSkewMs: -200_000 } });
    expect(problems(judge(clockSkew, skewed(200_000), [far]))).toEqual(['error ClockSkew']);
  });

  it('allows for the error of its measure', () => {
    const facts = { clockSkewMs: 2_500, roundTripMs: 1_200 };
    expect(problems(judge(clockSkew, { facts }))).toEqual([]);
  });
});
