import { ENDPOINT_ADOPTED } from '../artefacts.js';
import { defineHostPhase } from '../context.js';
import { ENDPOINT_PROGRAMS } from '../endpoint-programs.js';
import { verdictOf } from '../rendered.js';
import { unitRemoval } from '../unit-removal.js';

export const retireEndpoint = defineHostPhase({
  name: 'endpoint/retire',
  summary: 'what a former endpoint left on hosts that have no part in it any more',
  target: 'all',
  needs: [ENDPOINT_ADOPTED],
  provides: [],
  observe: () => ({
    files: ENDPOINT_PROGRAMS.flatMap(({ files }) => files),
    units: ENDPOINT_PROGRAMS.map(({ unit }) => unit),
  }),
  plan: ({ config, hostNamed }, name, seen) => {
    const host = hostNamed(name);
    const unwanted = ENDPOINT_PROGRAMS.filter(({ wantedOn }) => wantedOn(config, host) === null);
    return verdictOf(unitRemoval(unwanted, seen));
  },
});
