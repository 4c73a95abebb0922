import { canonicalAddress, contains, parseCidr } from '../../config/cidr.js';
import { quote } from '../../host/quote.js';
import { KEEPALIVED_CONFIG, virtualOn } from '../../manifests/endpoint/keepalived.js';
import { defineCheck, error, linesOf, type Outcome, ok, warning } from './check.js';

const NAME = 'VirtualAddress';

/**
 * Asked while keepalived is not there yet: later the address has to answer, and is `ours`. A neighbour answers at
 * once.
 */
const askFor = (address: string) => `if [ -e ${KEEPALIVED_CONFIG} ]; then
  grep -qF -e ${quote([` ${address}/`])} ${KEEPALIVED_CONFIG} && echo ours
  exit 0
fi
command -v ping >/dev/null && timeout 0.5 ping -n -q -c 1 ${quote([address])} >/dev/null 2>&1 && echo used
true`;

/** The virtual address is free, and in the network of the interface that it is to be on. */
export const virtualAddress = defineCheck({
  id: 'virtual-address',
  probes: ({ config, host }): Record<string, string> => {
    const virtual = virtualOn(config, host);
    return virtual === null ? {} : { answers: askFor(virtual.address) };
  },
  judge: (subject, all) => {
    const { config, host, facts } = subject;
    const virtual = virtualOn(config, host);
    if (virtual === null) return [];
    const { address } = virtual;
    // Of a cluster that is there already, who holds it may not be among the hosts that were looked at.
    const holds = all.some(
      (other) =>
        linesOf(other, 'answers').includes('ours') ||
        other.facts.addresses.some((own) => canonicalAddress(own.address) === canonicalAddress(address)),
    );
    if (linesOf(subject, 'answers').includes('used') && !holds)
      return [
        error(NAME, `${address} is in use by another machine`, 'take a free one in spec.endpoint.address'),
      ];
    const own = canonicalAddress(host.localAPIEndpoint?.advertiseAddress ?? host.nodeIP);
    const at = facts.addresses.filter((entry) =>
      virtual.interface === undefined
        ? canonicalAddress(entry.address) === own
        : entry.interface === virtual.interface,
    );
    const place = virtual.interface ?? `the interface of ${own}`;
    if (at.length === 0)
      return [error(NAME, `${place} is not there, or has no address`, 'set spec.endpoint.interface')];
    const near = at.some((entry) => {
      const network = parseCidr(`${entry.address}/${entry.prefix}`);
      return network !== null && contains(network, address);
    });
    const outcome: Outcome = near
      ? ok(NAME, `${address} is free`)
      : warning(
          NAME,
          `${address} is not in the network of ${place}`,
          'take an address of that network, unless your routers know it by other means',
        );
    return [outcome];
  },
});
