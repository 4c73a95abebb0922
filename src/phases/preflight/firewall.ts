import { firewallProbe, firewallState, openingsOf } from '../firewall.js';
import { defineCheck, error, ok, said, warning } from './check.js';

const NAMES = { firewalld: 'Firewalld', ufw: 'Ufw' };

/** Closed ports stop a host from joining. Of a member it is only told: something else may let packets through. */
export const firewall = defineCheck({
  id: 'firewall',
  probes: ({ host }) => ({ state: firewallProbe(host.nodeIP) }),
  judge: (subject) => {
    const { config, host, member } = subject;
    const state = firewallState(said(subject, 'state'), openingsOf(config, host));
    if (state === null) return [];
    const name = NAMES[state.kind];
    if (state.closed.length === 0) return [ok(name, `${state.kind} lets through what the cluster needs`)];
    if (config.spec.preparation.firewall === 'open')
      return [ok(name, `${state.kind} is opened for ${state.closed.join(', ')}`)];
    const message = `${state.kind} does not let through ${state.closed.join(', ')}`;
    const commands = state.commands.map((command) => command.join(' ')).join(' && ');
    const say = member ? warning : error;
    return [say(name, message, `set preparation.firewall: open, or run: ${commands}`)];
  },
});
