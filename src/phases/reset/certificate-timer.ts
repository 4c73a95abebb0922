import { CERTIFICATE_TIMER, CERTIFICATE_TIMER_FILES } from '../../manifests/certificate-timer.js';
import { defineHostPhase } from '../context.js';
import { unitRemoval } from '../unit-removal.js';
import { leftover } from './leftover.js';

export const removeCertificateTimer = defineHostPhase({
  name: 'reset/certificate-timer',
  summary: 'the timer that looks at the host’s certificates',
  target: 'all',
  needs: [],
  provides: [],
  observe: () => ({ files: CERTIFICATE_TIMER_FILES, units: [CERTIFICATE_TIMER] }),
  plan: (_context, _host, seen) =>
    leftover(unitRemoval([{ unit: CERTIFICATE_TIMER, files: CERTIFICATE_TIMER_FILES }], seen)),
});
