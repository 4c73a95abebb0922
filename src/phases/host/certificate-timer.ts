import {
  CERTIFICATE_TIMER,
  CERTIFICATE_TIMER_FILES,
  CERTIFICATE_TIMER_UNITS,
} from '../../manifests/certificate-timer.js';
import { defineHostPhase } from '../context.js';
import { renderedChanges, SURROUNDINGS, verdictOf } from '../rendered.js';
import { serviceChanges } from '../services.js';
import { unitRemoval } from '../unit-removal.js';

export const certificateTimer = defineHostPhase({
  name: 'host/certificate-timer',
  summary: 'a timer that looks at the certificates of each host, where one is wanted',
  target: 'all',
  needs: [],
  provides: [],
  observe: () => ({
    files: CERTIFICATE_TIMER_FILES,
    stats: SURROUNDINGS.stats,
    units: [CERTIFICATE_TIMER, ...SURROUNDINGS.units],
  }),
  plan: (context, host, seen) => {
    if (context.config.spec.certificateTimer === undefined)
      return verdictOf(unitRemoval([{ unit: CERTIFICATE_TIMER, files: CERTIFICATE_TIMER_FILES }], seen));
    const files = renderedChanges(context, host, seen, CERTIFICATE_TIMER_FILES);
    const touched = files.some(
      (change) => change.kind === 'file' && CERTIFICATE_TIMER_UNITS.includes(change.path),
    );
    const services = serviceChanges(CERTIFICATE_TIMER, seen.units.get(CERTIFICATE_TIMER), {
      touched,
      unitFileTouched: touched,
    });
    return verdictOf([...files, ...services]);
  },
});
