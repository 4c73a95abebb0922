import type { Change } from '../../engine/types.js';
import { HAPROXY_FILES, KEEPALIVED_FILES } from '../../manifests/endpoint/files.js';
import { balancedOn, HAPROXY_UNIT } from '../../manifests/endpoint/haproxy.js';
import { KEEPALIVED_UNIT, virtualOn } from '../../manifests/endpoint/keepalived.js';
import { ENDPOINT_ADOPTED } from '../artefacts.js';
import { defineHostPhase } from '../context.js';
import { verdictOf } from '../rendered.js';
import { unitRemoval } from '../unit-removal.js';

/** keepalived goes first: without HAProxy beside it, it has no business with the address. */
export const retireEndpoint = defineHostPhase({
  name: 'endpoint/retire',
  summary: 'what a former endpoint left on hosts that have no part in it any more',
  target: 'all',
  needs: [ENDPOINT_ADOPTED],
  provides: [],
  observe: () => ({
    files: [...HAPROXY_FILES, ...KEEPALIVED_FILES],
    units: [HAPROXY_UNIT, KEEPALIVED_UNIT],
  }),
  plan: ({ config, hostNamed }, name, seen) => {
    const host = hostNamed(name);
    const changes: Change[] = [];
    if (virtualOn(config, host) === null)
      changes.push(...unitRemoval(KEEPALIVED_UNIT, KEEPALIVED_FILES, seen));
    if (balancedOn(config, host) === null) changes.push(...unitRemoval(HAPROXY_UNIT, HAPROXY_FILES, seen));
    return verdictOf(changes);
  },
});
