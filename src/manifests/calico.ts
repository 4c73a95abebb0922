import { isIPv6 } from 'node:net';
import type { CalicoNetwork } from '../config/types.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { calicoResources } from './calico-resources.js';
import { isObject } from './json.js';
import type { ManifestObject } from './parse-manifests.js';

type Json = Record<string, unknown>;

/** A container's environment variable; those of the published manifest have a value or a source. */
interface Variable {
  name: string;
  value?: string;
  valueFrom?: unknown;
}

const NAMESPACE = 'kube-system';
const CONFIG_MAP = 'calico-config';
const DAEMON_SET = 'calico-node';

/** Probes of BIRD, which does not run where Calico's backend is vxlan: with them calico-node is never Ready. */
const BIRD_PROBES = ['-bird-live', '-bird-ready'];

/**
 * Objects of Calico's published manifest with the network's settings on top, and the resources that say the rest.
 * Everything is found by its name, so that a manifest of another version is either understood or refused: v3.29 to
 * v3.32 name these things alike.
 * @param objects of the manifest, which are left as they are
 * @throws KeelsonError CONFIG where the manifest is none of Calico's, or has not what is to be set
 */
export function calicoObjects(
  objects: readonly ManifestObject[],
  network: CalicoNetwork,
  podSubnets: readonly string[],
): ManifestObject[] {
  const changed = objects.map((object) => structuredClone(object));
  const named = (kind: string, name: string): ManifestObject => {
    const found = changed.find((object) => object.kind === kind && object.metadata.name === name);
    if (found !== undefined) return found;
    throw new KeelsonError(
      'CONFIG',
      `the manifest has no ${kind} ${NAMESPACE}/${name}: it is none of Calico's for the Kubernetes API datastore`,
      {
        hint: 'use manifests/calico.yaml of a release of Calico (v3.29 to v3.32 are known), not that of its operator',
      },
    );
  };
  changeConfigMap(named('ConfigMap', CONFIG_MAP), network, podSubnets);
  changeDaemonSet(named('DaemonSet', DAEMON_SET), network, podSubnets);
  return [...changed, ...calicoResources(network, podSubnets)];
}

/** BIRD is only left out where nothing is announced by BGP. */
const isBgp = (network: CalicoNetwork): boolean => network.mode !== 'vxlan';

function changeConfigMap(
  object: ManifestObject,
  network: CalicoNetwork,
  podSubnets: readonly string[],
): void {
  const data = object.data as Record<string, string> | undefined;
  const text = data?.cni_network_config;
  if (data === undefined || text === undefined || data.calico_backend === undefined)
    throw unknownPart(`ConfigMap ${CONFIG_MAP}`, 'calico_backend and cni_network_config');
  data.calico_backend = isBgp(network) ? 'bird' : 'vxlan';
  if (network.mtu !== undefined) data.veth_mtu = String(network.mtu);
  if (podSubnets.some(isIPv6Range)) data.cni_network_config = withFamilies(text, podSubnets);
}

const isIPv6Range = (range: string): boolean => isIPv6(range.split('/')[0] ?? '');

/** Calico's IPAM gives IPv4 addresses only unless told. `__CNI_MTU__` and the like are no JSON, so text it is. */
function withFamilies(text: string, podSubnets: readonly string[]): string {
  const v4 = podSubnets.some((range) => !isIPv6Range(range));
  const assigned = `"type": "calico-ipam", "assign_ipv4": "${v4}", "assign_ipv6": "true"`;
  const changed = text.replace(/"type": *"calico-ipam"/, assigned);
  if (changed === text) throw unknownPart(`ConfigMap ${CONFIG_MAP}`, 'an IPAM of type calico-ipam');
  return changed;
}

function changeDaemonSet(
  object: ManifestObject,
  network: CalicoNetwork,
  podSubnets: readonly string[],
): void {
  const spec = object.spec as { template?: { spec?: { containers?: Json[] } } } | undefined;
  const container = spec?.template?.spec?.containers?.find(({ name }) => name === DAEMON_SET);
  if (container === undefined || !Array.isArray(container.env))
    throw unknownPart(`DaemonSet ${DAEMON_SET}`, `a container ${DAEMON_SET} with variables`);
  container.env = withVariables(container.env as Variable[], variablesOf(network, podSubnets));
  if (isBgp(network)) return;
  for (const probe of ['livenessProbe', 'readinessProbe']) {
    const exec = (container[probe] as { exec?: { command?: string[] } } | undefined)?.exec;
    if (exec?.command !== undefined)
      exec.command = exec.command.filter((argument) => !BIRD_PROBES.includes(argument));
  }
}

/** What calico-node is told; pools are keelson's own objects, since it only makes them once and never changes them. */
function variablesOf(network: CalicoNetwork, podSubnets: readonly string[]): Variable[] {
  const v6 = podSubnets.some(isIPv6Range);
  const v4 = podSubnets.some((range) => !isIPv6Range(range));
  const method = network.autodetection;
  return [
    { name: 'NO_DEFAULT_POOLS', value: 'true' },
    { name: 'CLUSTER_TYPE', value: isBgp(network) ? 'k8s,bgp' : 'k8s' },
    { name: 'IP', value: v4 ? 'autodetect' : 'none' },
    ...(v4 ? [{ name: 'IP_AUTODETECTION_METHOD', value: method }] : []),
    ...(v6
      ? [
          { name: 'IP6', value: 'autodetect' },
          { name: 'IP6_AUTODETECTION_METHOD', value: method },
          { name: 'FELIX_IPV6SUPPORT', value: 'true' },
        ]
      : []),
    ...(network.mtuInterfacePattern === undefined
      ? []
      : [{ name: 'FELIX_MTUIFACEPATTERN', value: network.mtuInterfacePattern }]),
  ];
}

/** Variables with the values of others in place of theirs, and those that are missing after them. */
function withVariables(env: readonly Variable[], wanted: readonly Variable[]): Variable[] {
  const values = new Map(wanted.map((variable) => [variable.name, variable]));
  const known = new Set(env.map(({ name }) => name));
  return [
    ...env.map((variable) => values.get(variable.name) ?? variable),
    ...wanted.filter(({ name }) => !known.has(name)),
  ];
}

function unknownPart(place: string, what: string): KeelsonError {
  return new KeelsonError(
    'CONFIG',
    `${place} of the manifest has not ${what}: this version of Calico is not known`,
    {
      hint: 'v3.29 to v3.32 are; with plugin manifest any version is applied as it is',
    },
  );
}

/** Version of Calico as the manifest's images have it; null where they have none. */
export function calicoVersion(objects: readonly ManifestObject[]): string | null {
  const daemonSet = objects.find(
    ({ kind, metadata }) => kind === 'DaemonSet' && metadata.name === DAEMON_SET,
  );
  const text = isObject(daemonSet?.spec) ? JSON.stringify(daemonSet.spec) : '';
  return /"image":"[^"]*\/(?:node|calico):(v\d+\.\d+[^"@]*)/.exec(text)?.[1] ?? null;
}
