import { JOURNAL_PATH, STATE_DIR } from '../../engine/journal.js';
import type { ActionChange, Change } from '../../engine/types.js';
import { defineHostPhase } from '../context.js';
import { FILES_GONE } from './artefacts.js';
import { leftover } from './leftover.js';

/** `key=before=now` of every setting whose value before the first change the journal has and that differs now. */
const SETTINGS_PROBE = `grep -o '"before":"[^"]*"' ${JOURNAL_PATH} 2>/dev/null | head -n 1 | cut -d'"' -f4 | tr ' ' '\\n' | while IFS='=' read -r key before; do
  [ -n "$before" ] || continue
  now=$(cat "/proc/sys/$(echo "$key" | tr . /)" 2>/dev/null)
  [ -n "$now" ] && [ "$now" != "$before" ] && echo "$key=$before=$now"
done; true`;

/** What lies in keelson's own directory, but for the cluster's lock, which this very run holds. */
const STATE_PROBE = `find ${STATE_DIR} -mindepth 1 -maxdepth 1 ! -name 'lock*' 2>/dev/null | wc -l`;

const RESTORE = `for setting in "$@"; do
  printf '%s' "\${setting#*=}" > "/proc/sys/$(echo "\${setting%%=*}" | tr . /)" || status=1
done
exit "\${status:-0}"
`;

const FORGET = `find ${STATE_DIR} -mindepth 1 -maxdepth 1 ! -name 'lock*' -exec rm -rf {} +
rmdir ${STATE_DIR} 2>/dev/null
exit 0
`;

export const forgetState = defineHostPhase({
  name: 'reset/state',
  summary: 'kernel settings as they were, and keelson’s journal removed, last of all',
  target: 'all',
  needs: [FILES_GONE],
  provides: [],
  observe: () => ({ probes: { settings: SETTINGS_PROBE, state: STATE_PROBE } }),
  plan: (_context, _host, seen) => {
    const settings = (seen.probes.get('settings')?.stdout ?? '').split('\n').flatMap((line) => {
      const [key, before] = line.split('=');
      return key === undefined || before === undefined ? [] : [`${key}=${before}`];
    });
    const changes: Change[] = [];
    if (settings.length > 0) {
      changes.push({
        kind: 'action',
        name: 'restore-settings',
        summary: `set back sysctl ${settings.join(' ')}`,
        params: { settings: settings.join(' ') },
      });
    }
    if (Number(seen.probes.get('state')?.stdout ?? 0) > 0) {
      const forget: ActionChange = { kind: 'action', name: 'forget', summary: `remove ${STATE_DIR}` };
      changes.push(forget);
    }
    return leftover(changes);
  },
  actions: {
    'restore-settings': async (_context, host, change) => {
      const args = (change.params?.settings ?? '').split(' ').filter((word) => word !== '');
      await host.script({ name: 'reset/restore-settings', text: RESTORE, args });
    },
    forget: async (_context, host) => {
      await host.script({ name: 'reset/forget', text: FORGET });
    },
  },
});
