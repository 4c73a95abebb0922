import { fileChange } from '../../engine/files.js';
import type { Change } from '../../engine/types.js';
import { PREPARED_HOST } from '../artefacts.js';
import { defineHostPhase } from '../context.js';
import { verdictOf } from '../rendered.js';
import { SELINUX_CONFIG, SELINUX_PROBE, selinuxMode } from '../selinux.js';

const PERMISSIVE = `PATH=$PATH:/usr/sbin:/sbin
if command -v setenforce >/dev/null; then setenforce 0; else echo 0 > /sys/fs/selinux/enforce; fi
`;

export const selinuxPermissive = defineHostPhase({
  name: 'host/selinux',
  summary: 'SELinux permissive, now and after a boot',
  target: 'all',
  needs: [],
  provides: [PREPARED_HOST],
  runIf: ({ config }) => config.spec.preparation.selinux === 'permissive',
  observe: () => ({ files: [SELINUX_CONFIG], probes: { mode: SELINUX_PROBE } }),
  plan: (_context, _host, seen) => {
    const changes: Change[] = [];
    const file = seen.files.get(SELINUX_CONFIG);
    const text = file?.content?.toString('utf8') ?? '';
    const wanted = text.replace(/^([ \t]*SELINUX[ \t]*=[ \t]*)enforcing\b/gm, '$1permissive');
    if (file !== undefined && wanted !== text) {
      const change = fileChange({ path: SELINUX_CONFIG, text: wanted, mode: file.mode }, seen);
      if (change !== null) changes.push(change);
    }
    if (selinuxMode(seen.probes.get('mode')?.stdout ?? '') === 'enforcing')
      changes.push({
        kind: 'action',
        name: 'permissive',
        summary: 'set SELinux to permissive: setenforce 0',
      });
    return verdictOf(changes);
  },
  actions: {
    permissive: async (_context, host) => {
      await host.script({ name: 'host/selinux-permissive', text: PERMISSIVE });
    },
  },
});
