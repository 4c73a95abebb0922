import { canonicalAddress, contains, familyOf, parseCidrs } from '../cidr.js';
import { ENDPOINT_PORTS, endpointText, resolveEndpoint } from '../endpoint.js';
import { parseHostPort } from '../schema/common.js';
import type { Documents } from '../schema/kinds.js';
import { nodeIPsOf } from './hosts.js';
import type { Rule } from './rule.js';

/** Ports that Kubernetes has on hosts, beside the API server's. */
const TAKEN = new Map([
  [2379, 'etcd'],
  [2380, 'etcd'],
  [10249, 'kube-proxy'],
  [10250, 'the kubelet'],
  [10256, 'kube-proxy'],
  [10257, 'the controller manager'],
  [10259, 'the scheduler'],
]);

const ENDPOINT = ['spec', 'endpoint'];

/** kubeadm's default port of the API server. */
const API_PORT = 6443;

function bindPorts({ InitConfiguration, JoinConfiguration }: Documents): Set<number> {
  const first = InitConfiguration?.localAPIEndpoint?.bindPort || API_PORT;
  return new Set([first, JoinConfiguration?.controlPlane?.localAPIEndpoint?.bindPort || first]);
}

/** Each provider has the fields that it needs and no others, and a port that is free on the hosts. */
export const endpointFields: Rule = (documents, report) => {
  const given = documents.Cluster?.spec.endpoint;
  if (given === undefined) return;
  const { provider } = given;
  const idle = {
    external: ['interface', 'virtualRouterId', 'expose'],
    'keepalived-haproxy': ['expose'],
    'node-local': ['address', 'interface', 'virtualRouterId'],
  } as const;
  for (const field of idle[provider]) {
    if (given[field] !== undefined)
      report('Cluster', [...ENDPOINT, field], `means nothing with provider ${provider}`, { at: 'key' });
  }
  if (provider !== 'node-local' && given.address === undefined) {
    const what =
      provider === 'external'
        ? 'the address or name of your load balancer'
        : 'a free address in the network of the control planes';
    report('Cluster', [...ENDPOINT, 'provider'], `needs an address: add ${what}`);
  }
  if (provider === 'external') return;
  const port = given.port ?? ENDPOINT_PORTS[provider];
  // keepalived asks HAProxy for its health on the port after it.
  for (const used of provider === 'keepalived-haproxy' ? [port, port + 1] : [port]) {
    const owner = bindPorts(documents).has(used) ? 'the API server' : TAKEN.get(used);
    if (owner === undefined) continue;
    const next = used === port ? '' : `, and HAProxy's health is asked for on the port after it`;
    report('Cluster', [...ENDPOINT, 'port'], `port ${used} is that of ${owner} on the same host${next}`);
  }
};

/** A virtual address is an address of its own. */
export const virtualAddress: Rule = ({ Cluster, ClusterConfiguration }, report) => {
  const given = Cluster?.spec.endpoint;
  if (Cluster === undefined || given?.provider !== 'keepalived-haproxy' || given.address === undefined)
    return;
  const path = [...ENDPOINT, 'address'];
  const { address } = given;
  const family = familyOf(address);
  if (family === null) {
    report('Cluster', path, `${address} is a name: the virtual address is an IP address`);
    return;
  }
  const own = Cluster.spec.hosts.find(
    (host) =>
      nodeIPsOf(host).includes(canonicalAddress(address)) ||
      canonicalAddress(host.address) === canonicalAddress(address),
  );
  if (own !== undefined) report('Cluster', path, `${address} is that of ${own.name}: take a free one`);
  const planes = Cluster.spec.hosts.filter((host) => host.role === 'control-plane');
  const other = planes.find((host) => familyOf(nodeIPsOf(host)[0] ?? address) !== family);
  if (other !== undefined)
    report('Cluster', path, `${address} is not of the address family of ${other.name}`);
  const { podSubnet, serviceSubnet } = ClusterConfiguration?.networking ?? {};
  for (const [name, text] of Object.entries({ pod: podSubnet, service: serviceSubnet || '10.96.0.0/12' })) {
    if (!text) continue;
    if (parseCidrs(text)?.some((range) => contains(range, address)))
      report('Cluster', path, `${address} lies in the ${name} range ${text}`);
  }
};

/** controlPlaneEndpoint says the same as spec.endpoint, or nothing. */
export const oneEndpoint: Rule = ({ Cluster, ClusterConfiguration, InitConfiguration }, report) => {
  const input = Cluster?.spec.endpoint;
  const text = ClusterConfiguration?.controlPlaneEndpoint;
  if (Cluster === undefined || input === undefined || !text) return;
  const given = parseHostPort(text);
  const first = Cluster.spec.hosts.find((host) => host.role === 'control-plane' && host.state !== 'absent');
  const bindPort = InitConfiguration?.localAPIEndpoint?.bindPort || API_PORT;
  const address = first === undefined ? '' : (nodeIPsOf(first)[0] ?? '');
  const wanted = resolveEndpoint(input, {}, address, bindPort);
  if (given === null || wanted === null || wanted.address === '') return;
  const said = endpointText({ address: canonicalAddress(given.host), port: given.port ?? bindPort });
  if (said === endpointText(wanted)) return;
  const message = `${text} is not ${endpointText(wanted)}, which spec.endpoint gives: leave it out, and it follows`;
  report('ClusterConfiguration', ['controlPlaneEndpoint'], message);
};
