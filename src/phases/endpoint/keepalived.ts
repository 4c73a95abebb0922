import { KEEPALIVED_FILES } from '../../manifests/endpoint/files.js';
import {
  KEEPALIVED_BINARY,
  KEEPALIVED_CONFIG,
  KEEPALIVED_UNIT,
  KEEPALIVED_UNIT_PATH,
} from '../../manifests/endpoint/keepalived.js';
import { BALANCER, VIRTUAL_ADDRESS } from '../artefacts.js';
import { defineHostPhase } from '../context.js';
import { renderedChanges, SURROUNDINGS, verdictOf } from '../rendered.js';
import { serviceChanges } from '../services.js';
import { packageChanges } from './haproxy.js';
import { validated, validation } from './validate.js';

export const keepalived = defineHostPhase({
  name: 'endpoint/keepalived',
  summary: 'keepalived on the control planes, which hold the virtual address in turn',
  target: 'control-planes',
  needs: [BALANCER],
  provides: [VIRTUAL_ADDRESS],
  runIf: ({ config }) => config.spec.endpoint?.provider === 'keepalived-haproxy',
  observe: () => ({
    files: KEEPALIVED_FILES,
    stats: [KEEPALIVED_BINARY, ...SURROUNDINGS.stats],
    units: [KEEPALIVED_UNIT, ...SURROUNDINGS.units],
  }),
  plan: (context, host, seen) => {
    const files = renderedChanges(context, host, seen, KEEPALIVED_FILES);
    const paths = files.map((change) => (change.kind === 'file' ? change.path : ''));
    const services = serviceChanges(KEEPALIVED_UNIT, seen.units.get(KEEPALIVED_UNIT), {
      touched: files.length > 0,
      unitFileTouched: paths.includes(KEEPALIVED_UNIT_PATH),
      reload: true,
    });
    // The check script stands before the configuration that names it is validated.
    const early = files.filter((change) => change.kind === 'file' && change.path !== KEEPALIVED_CONFIG);
    const config = files.filter((change) => !early.includes(change));
    return verdictOf([
      ...packageChanges(seen, 'keepalived', KEEPALIVED_BINARY),
      ...early,
      ...(config.length > 0 ? [validation(KEEPALIVED_CONFIG)] : []),
      ...config,
      ...services,
    ]);
  },
  actions: { validate: (context, host) => validated(context, host, KEEPALIVED_CONFIG, VALIDATE) },
});

/**
 * keepalived 2.2 ends its test of a configuration with a vrrp_script by a SIGTERM to its own process group: it
 * gets a group of its own, and what it says decides then.
 */
const VALIDATE = `said=$(setsid -w ${KEEPALIVED_BINARY} --config-test --use-file "$1" 2>&1); code=$?
printf '%s\\n' "$said"
[ $code = 0 ] && exit 0
[ $code = 143 ] && [ -z "$said" ]
`;
