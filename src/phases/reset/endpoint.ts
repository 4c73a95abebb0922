import { JOURNAL_PATH } from '../../engine/journal.js';
import type { Change } from '../../engine/types.js';
import { defineHostPhase } from '../context.js';
import { ENDPOINT_PROGRAMS } from '../endpoint-programs.js';
import { exists } from '../seen.js';
import { unitRemoval } from '../unit-removal.js';
import { KUBELET_STOPPED } from './artefacts.js';
import { leftover } from './leftover.js';

/** Packages that keelson installed, as the journal tells; others were there before and stay. */
const PACKAGES_PROBE = `grep -oh '"package":"[^"]*","op":"install"' ${JOURNAL_PATH} 2>/dev/null | cut -d'"' -f4 | sort -u; true`;

export const removeEndpoint = defineHostPhase({
  name: 'reset/endpoint',
  summary: 'the host’s part in the API’s endpoint, and packages that keelson installed for it',
  target: 'all',
  needs: [KUBELET_STOPPED],
  provides: [],
  observe: () => ({
    files: ENDPOINT_PROGRAMS.flatMap(({ files }) => files),
    stats: ENDPOINT_PROGRAMS.map(({ binary }) => binary),
    units: ENDPOINT_PROGRAMS.map(({ unit }) => unit),
    probes: { packages: PACKAGES_PROBE },
  }),
  plan: (_context, _host, seen) => {
    const installed = (seen.probes.get('packages')?.stdout ?? '').split('\n');
    const packages = ENDPOINT_PROGRAMS.filter(
      ({ name, binary }) => exists(seen, binary) && installed.includes(name),
    ).map(
      ({ name }): Change => ({ kind: 'package', op: 'remove', name, reason: `keelson installed ${name}` }),
    );
    return leftover([...unitRemoval(ENDPOINT_PROGRAMS, seen), ...packages]);
  },
});
