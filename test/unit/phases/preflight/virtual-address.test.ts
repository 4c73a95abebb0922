import { describe, expect, it } from 'vitest';
import { flowsOf } from '../../../../src/phases/preflight/reach.js';
import { virtualAddress } from '../../../../src/phases/preflight/virtual-address.js';
import { CP1, CP2, config, W1 } from '../../manifests/fixture.js';
import { judge, one, problems, subject } from './support.js';

const withVirtual = (more: object = {}) =>
  config(
    {
      spec: {
        ...config().spec,
        endpoint: {
          provider: 'keepalived-haproxy',
          address: '10.88.0.10',
          port: 8443,
          virtualRouterId: 51,
          ...more,
        },
      },
    },
    { controlPlaneEndpoint: '10.88.0.10:8443' },
  );

describe('a virtual address', () => {
  it('is right where it is free and in the control plane’s network', () => {
    expect(problems(judge(virtualAddress, { config: withVirtual() }))).toEqual([]);
  });

  it('is refused where another machine answers, and not where a control plane has it', () => {
    const scene = { config: withVirtual(), probes: { answers: 'used\n' } };
    expect(one(judge(virtualAddress, scene), 'VirtualAddress', 'error').message).toContain(
      '10.88.0.10 is in use by another machine',
    );
    const addresses = [{ interface: 'eth0', address: '10.88.0.10', prefix: 32, mtu: 1500 }];
    const holder = subject({ config: withVirtual(), host: CP2, facts: { addresses } });
    expect(problems(judge(virtualAddress, scene, [holder]))).toEqual([]);
    const turns = subject({ config: withVirtual(), host: CP2, probes: { answers: 'ours\n' } });
    expect(problems(judge(virtualAddress, scene, [turns]))).toEqual([]);
  });

  it('is doubted outside of the interface’s network, and needs the interface that is named', () => {
    const scene = (more: object) => ({ config: withVirtual(more) });
    expect(problems(judge(virtualAddress, scene({ address: '10.99.0.10' })))).toEqual([
      'warning VirtualAddress',
    ]);
    expect(problems(judge(virtualAddress, scene({ interface: 'bond0' })))).toEqual(['error VirtualAddress']);
  });

  it('is no business of workers, and no connection to try before it is there', () => {
    expect(judge(virtualAddress, { config: withVirtual(), host: W1 })).toEqual([]);
    const worker = subject({ config: withVirtual(), host: W1 });
    const plane = subject({ config: withVirtual(), host: CP1 });
    expect(flowsOf(worker, [worker, plane]).map(({ port }) => port)).toEqual([6443]);
  });
});
