import { expect, it } from 'vitest';
import type { HostFacts } from '../../../src/host/types.js';
import { hostBundle, nearestBundle } from '../../../src/phases/host-bundle.js';
import { bundleOfTwo, smallBundle } from '../bundle/fixture.js';

const facts = (machine: string) => new Map([['w1', { architecture: machine } as HostFacts]]);

it('gives a host what is of its own architecture', async () => {
  const bundle = await bundleOfTwo();
  expect(hostBundle({ bundle, facts: facts('x86_64') }, 'w1').lock.architecture).toBe('amd64');
  expect(hostBundle({ bundle, facts: facts('aarch64') }, 'w1').lock.architecture).toBe('arm64');
  expect(hostBundle({ bundle, facts: new Map() }, 'w1').lock.architecture).toBe('amd64');
});

it('refuses a host whose architecture the bundle is not for; what is there may still be looked at', async () => {
  const bundle = await smallBundle();
  for (const machine of ['aarch64', 'riscv64']) {
    expect(() => hostBundle({ bundle, facts: facts(machine) }, 'w1')).toThrowError(
      expect.objectContaining({ code: 'BUNDLE', message: `the host is ${machine}, the bundle is for amd64` }),
    );
    expect(nearestBundle({ bundle, facts: facts(machine) }, 'w1')).toBe(bundle);
  }
});
