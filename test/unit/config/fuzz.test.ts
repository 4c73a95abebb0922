import fc from 'fast-check';
import { expect, test } from 'vitest';
import { KeelsonError } from '../../../src/errors/keelson-error.js';
import { CLUSTER, KUBEADM, parse, stream } from './support.js';

const TEXT = stream(
  `${CLUSTER}  network: {plugin: flannel, backend: vxlan}\n`,
  `${KUBEADM}apiServer: {extraArgs: [{name: v, value: "2"}], extraEnvs: [{name: A, value: b}]}\netcd: {local: {dataDir: /d}}\n`,
  'apiVersion: kubeadm.k8s.io/v1beta3\nkind: InitConfiguration\nnodeRegistration: {kubeletExtraArgs: {v: "1"}}\n',
);
const junk = fc.constantFrom(
  '',
  'null',
  '[]',
  '{}',
  '0',
  '-1',
  '"',
  '*a',
  '&a',
  '- ',
  ': ',
  '\n',
  '---\n',
  '<<: ',
  '\t',
  '1e9',
  '::',
  '/',
);

test('a damaged file is a configuration or a CONFIG error with places, never another error', () => {
  fc.assert(
    fc.property(fc.nat(TEXT.length), fc.integer({ min: 0, max: 40 }), junk, (start, length, put) => {
      const damaged = TEXT.slice(0, start) + put + TEXT.slice(start + length);
      try {
        parse(damaged);
      } catch (error) {
        expect(error).toBeInstanceOf(KeelsonError);
        expect(error).toMatchObject({ code: 'CONFIG' });
        const { message } = error as KeelsonError;
        for (const line of message.split('\n'))
          expect(line).toMatch(/^\/etc\/keelson\/c\.yaml:\d+:\d+( \S.*)?: ./);
      }
    }),
    { numRuns: 1500 },
  );
}, 120_000);
