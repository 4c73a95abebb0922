import { expect, it } from 'vitest';
import { issuerAfter, trustAfter } from '../../../../src/workflows/rotate/run.js';
import { ORDER, type Step } from '../../../../src/workflows/rotate/state.js';

const pairs = { old: { certPem: 'old', keyPem: '' }, fresh: { certPem: 'new', keyPem: '' } };

it('whoever signs after a step is who is trusted first after it', () => {
  const back: Step[] = ['reissue', 'restart-back', 'rewrite-back', 'distrust'];
  for (const step of [...ORDER.sa, ...ORDER['encryption-key'], ...back])
    expect(trustAfter(pairs, step).issuer, step).toBe(pairs[issuerAfter(step)]);
});
