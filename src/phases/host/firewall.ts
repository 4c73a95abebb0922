import type { Change } from '../../engine/types.js';
import { PREPARED_HOST } from '../artefacts.js';
import { defineHostPhase } from '../context.js';
import { firewallProbe, firewallState, openingsOf } from '../firewall.js';
import { verdictOf } from '../rendered.js';

const OPEN = `PATH=$PATH:/usr/sbin:/sbin
"$@" >&2
`;

export const openFirewall = defineHostPhase({
  name: 'host/firewall',
  summary: 'firewalld or ufw lets through what the cluster needs, now and after a boot',
  target: 'all',
  needs: [],
  provides: [PREPARED_HOST],
  runIf: ({ config }) => config.spec.preparation.firewall === 'open',
  observe: ({ hostNamed }, host) => ({ probes: { firewall: firewallProbe(hostNamed(host).nodeIP) } }),
  plan: ({ config, hostNamed }, host, seen) => {
    const wanted = openingsOf(config, hostNamed(host));
    const state = firewallState(seen.probes.get('firewall')?.stdout ?? '', wanted);
    const changes = (state?.commands ?? []).map(
      (command): Change => ({
        kind: 'action',
        name: 'open',
        summary: command.join(' '),
        params: { command: command.join(' ') },
      }),
    );
    return verdictOf(changes);
  },
  actions: {
    open: async (_context, host, change) => {
      const args = (change.params?.command ?? '').split(' ');
      await host.script({ name: 'host/open-firewall', text: OPEN, args });
    },
  },
});
