import type { Change } from '../../engine/types.js';
import type { ReadResult } from '../../host/types.js';
import { HAPROXY_FILES } from '../../manifests/endpoint/files.js';
import {
  balancedOn,
  HAPROXY_BINARY,
  HAPROXY_CONFIG,
  HAPROXY_UNIT,
  HAPROXY_UNIT_PATH,
} from '../../manifests/endpoint/haproxy.js';
import { BALANCER, PREPARED_HOST } from '../artefacts.js';
import { defineHostPhase, type PhaseContext } from '../context.js';
import { renderedChanges, SURROUNDINGS, verdictOf } from '../rendered.js';
import { exists } from '../seen.js';
import { serviceChanges } from '../services.js';
import { validated, validation } from './validate.js';

/** The package, where its program is not there yet. */
export function packageChanges(seen: ReadResult, name: string, binary: string): Change[] {
  if (exists(seen, binary)) return [];
  return [{ kind: 'package', op: 'install', name, reason: `${binary} is missing` }];
}

export const haproxy = defineHostPhase({
  name: 'endpoint/haproxy',
  summary: 'HAProxy in front of the API servers, on the hosts where the endpoint has one',
  target: 'all',
  needs: [PREPARED_HOST],
  provides: [BALANCER],
  runIf: ({ config }) => config.spec.endpoint !== null && config.spec.endpoint.provider !== 'external',
  observe: (context, host) =>
    hasBalancer(context, host)
      ? {
          files: HAPROXY_FILES,
          stats: [HAPROXY_BINARY, ...SURROUNDINGS.stats],
          units: [HAPROXY_UNIT, ...SURROUNDINGS.units],
        }
      : {},
  plan: (context, host, seen) => {
    if (!hasBalancer(context, host)) return verdictOf([]);
    const files = renderedChanges(context, host, seen, HAPROXY_FILES);
    const paths = files.map((change) => (change.kind === 'file' ? change.path : ''));
    const services = serviceChanges(HAPROXY_UNIT, seen.units.get(HAPROXY_UNIT), {
      touched: files.length > 0,
      unitFileTouched: paths.includes(HAPROXY_UNIT_PATH),
      reload: true,
    });
    return verdictOf([
      ...packageChanges(seen, 'haproxy', HAPROXY_BINARY),
      ...(paths.includes(HAPROXY_CONFIG) ? [validation(HAPROXY_CONFIG)] : []),
      ...files,
      ...services,
    ]);
  },
  actions: { validate: (context, host) => validated(context, host, HAPROXY_CONFIG, VALIDATE) },
});

const VALIDATE = `${HAPROXY_BINARY} -c -f "$1" 2>&1`;

function hasBalancer({ config, hostNamed }: PhaseContext, host: string): boolean {
  return balancedOn(config, hostNamed(host)) !== null;
}
