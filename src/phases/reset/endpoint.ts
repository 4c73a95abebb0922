import { JOURNAL_PATH } from '../../engine/journal.js';
import type { Change } from '../../engine/types.js';
import { HAPROXY_FILES, KEEPALIVED_FILES } from '../../manifests/endpoint/files.js';
import { HAPROXY_BINARY, HAPROXY_UNIT } from '../../manifests/endpoint/haproxy.js';
import { KEEPALIVED_BINARY, KEEPALIVED_UNIT } from '../../manifests/endpoint/keepalived.js';
import { defineHostPhase } from '../context.js';
import { exists } from '../seen.js';
import { unitRemoval } from '../unit-removal.js';
import { KUBELET_STOPPED } from './artefacts.js';
import { leftover } from './leftover.js';

const PROGRAMS = [
  { name: 'keepalived', binary: KEEPALIVED_BINARY, unit: KEEPALIVED_UNIT, files: KEEPALIVED_FILES },
  { name: 'haproxy', binary: HAPROXY_BINARY, unit: HAPROXY_UNIT, files: HAPROXY_FILES },
];

/** Packages that keelson installed, as the journal tells; others were there before and stay. */
const PACKAGES_PROBE = `grep -oh '"package":"[^"]*","op":"install"' ${JOURNAL_PATH} 2>/dev/null | cut -d'"' -f4 | sort -u; true`;

export const removeEndpoint = defineHostPhase({
  name: 'reset/endpoint',
  summary: 'the host’s part in the API’s endpoint, and packages that keelson installed for it',
  target: 'all',
  needs: [KUBELET_STOPPED],
  provides: [],
  observe: () => ({
    files: PROGRAMS.flatMap(({ files }) => files),
    stats: PROGRAMS.map(({ binary }) => binary),
    units: PROGRAMS.map(({ unit }) => unit),
    probes: { packages: PACKAGES_PROBE },
  }),
  plan: (_context, _host, seen) => {
    const installed = (seen.probes.get('packages')?.stdout ?? '').split('\n');
    return leftover(
      PROGRAMS.flatMap(({ name, binary, unit, files }): Change[] => {
        const there = exists(seen, binary);
        const changes = unitRemoval(unit, files, seen);
        if (there && installed.includes(name))
          changes.push({ kind: 'package', op: 'remove', name, reason: `keelson installed ${name}` });
        return changes;
      }),
    );
  },
});
