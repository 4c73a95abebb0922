import { isIP } from 'node:net';
import { canonicalAddress } from '../../config/cidr.js';
import { quote } from '../../host/quote.js';
import { controlPlaneUrl } from '../../manifests/addresses.js';
import {
  defineCheck,
  error,
  linesOf,
  type Outcome,
  ok,
  type Subject,
  type Target,
  warning,
} from './check.js';
import { HAS_JOURNAL } from './standing.js';

/** Kubernetes' names of nodes: DNS subdomains. */
const NODE_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** Name and port that kubelets are given for the API. */
export function endpointOf({ config }: Pick<Target, 'config'>): { host: string; port: number } {
  const url = new URL(controlPlaneUrl(config));
  // URL leaves out the port that https has by default.
  return { host: url.hostname.replaceAll(/[[\]]/g, ''), port: url.port === '' ? 443 : Number(url.port) };
}

/** Exit code of a probe that did not ask. */
const NOT_ASKED = 3;

/** A resolver that doesn't answer must not hold up everything else; a host that was worked on resolves nothing. */
const resolve = (name: string): string =>
  `${HAS_JOURNAL} && exit ${NOT_ASKED}
timeout 2 getent ahosts ${quote([name])} | while read -r address rest; do echo "$address"; done`;

const asked = ({ member, seen }: Subject): boolean =>
  !member && seen.probes.get('addresses')?.code !== NOT_ASKED;

/** kubeadm's check: a warning for a name that is not valid or does not resolve. */
export const nodeName = defineCheck({
  id: 'node-name',
  probes: ({ host }) => ({ addresses: resolve(host.nodeRegistration.name) }),
  judge: (subject) => {
    const { host, facts } = subject;
    const name = host.nodeRegistration.name;
    if (name.length > 253 || !NODE_NAME.test(name))
      return [error('Hostname', `${name} is no valid name of a node`, 'set nodeRegistration.name')];
    if (!asked(subject)) return [];
    const found = [...new Set(linesOf(subject, 'addresses').map(canonicalAddress))];
    const entry = `add it to DNS, or to /etc/hosts: ${host.nodeIP} ${name}`;
    if (found.length === 0)
      return [warning('Hostname', `the name ${name} does not resolve on the host`, entry)];
    const outcomes: Outcome[] = [ok('Hostname', `${name} resolves`)];
    const own = new Set(
      [host.nodeIP, ...facts.addresses.map(({ address }) => address)].map(canonicalAddress),
    );
    const isOwn = (address: string) => own.has(address) || /^(127\.|::1$|fe80:)/.test(address);
    outcomes.push(
      found.some(isOwn)
        ? ok('NodeNameDNS', `${name} is ${found.join(', ')}`)
        : warning('NodeNameDNS', `${name} resolves to ${found.join(', ')}, which is not this host`, entry),
    );
    return outcomes;
  },
});

/** The API's endpoint has an address on every host; whether it is reached is seen from host to host. */
export const endpointName = defineCheck({
  id: 'endpoint-name',
  probes: (target) => {
    const { host } = endpointOf(target);
    return isIP(host) === 0 && target.host.role !== 'etcd' ? { addresses: resolve(host) } : {};
  },
  judge: (subject) => {
    const { host } = endpointOf(subject);
    if (!asked(subject) || isIP(host) !== 0 || subject.host.role === 'etcd') return [];
    const found = linesOf(subject, 'addresses');
    if (found.length > 0) return [ok('EndpointDNS', `${host} is ${found[0]}`)];
    const message = `controlPlaneEndpoint ${host} does not resolve on the host`;
    return [error('EndpointDNS', message, 'add it to DNS, or to /etc/hosts of every host')];
  },
});
