import { isIPv6 } from 'node:net';
import { nthAddress } from '../../config/cidr.js';
import { ADDONS, NETWORK, NETWORK_APPLIED, NODES } from '../artefacts.js';
import { defineHostPhase } from '../context.js';
import { verdictOf } from '../rendered.js';

/** flanneld writes it once it has the node's pod subnet; the CNI plugin fails without. */
const SUBNET_FILE = '/run/flannel/subnet.env';

/**
 * Where flannel asks for the API at its Service's address before kube-proxy has made that one work, the kernel has
 * tracked the connection as it left and translates no packet of it any more: flannel waits for thirty seconds and is
 * started anew. With the entry gone, the next packet, which comes after a second, gets through.
 */
const AWAIT_SUBNET = `i=0
while ! [ -s ${SUBNET_FILE} ]; do
  i=$((i+1)); [ $i -gt 2400 ] && exit 1
  [ $((i % 10)) -eq 0 ] &&
    conntrack -D -f "$1" -p tcp -d "$2" --dport 443 --state SYN_SENT > /dev/null 2>&1
  sleep 0.05
done
`;

/**
 * A pod that is created before flannel serves its node fails and is only tried again after many seconds, so
 * CoreDNS comes after this.
 */
export const flannelReady = defineHostPhase({
  name: 'network/ready',
  summary: 'flannel serves every node',
  target: 'nodes',
  needs: [NETWORK_APPLIED, NODES],
  provides: [NETWORK, ADDONS],
  runIf: ({ config }) => config.spec.network.plugin === 'flannel',
  observe: () => ({ stats: [SUBNET_FILE] }),
  plan: (_context, _host, seen) => {
    if (seen.files.get(SUBNET_FILE)?.type === 'file') return verdictOf([]);
    const summary = `wait until flannel has written ${SUBNET_FILE}`;
    return verdictOf([{ kind: 'action', name: 'wait', summary }]);
  },
  actions: {
    wait: async (context, host) => {
      const service = nthAddress(context.config.cluster.networking.serviceSubnet, 1);
      await host.script(
        {
          name: 'network/await-flannel',
          text: AWAIT_SUBNET,
          args: [isIPv6(service) ? 'ipv6' : 'ipv4', service],
        },
        { timeoutMs: 150_000, signal: context.signal },
      );
    },
  },
});
