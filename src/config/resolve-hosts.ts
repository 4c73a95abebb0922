import { canonicalAddress } from './cidr.js';
import type { HostInput } from './schema/cluster.js';
import type { InitConfigurationInput } from './schema/init-configuration.js';
import type { Documents } from './schema/kinds.js';
import { absolutePath, type Surroundings } from './surroundings.js';
import type { Arg, NodeRegistration, ResolvedHost, SshSettings, Taint } from './types.js';

type NodeRegistrationInput = NonNullable<InitConfigurationInput['nodeRegistration']>;

/** kubeadm's default port of the API server. */
const API_PORT = 6443;

/**
 * All hosts, with what kubeadm's documents say of them: InitConfiguration speaks of the first control plane,
 * JoinConfiguration of all others, and the host's own fields go before both.
 */
export function resolveHosts(documents: Documents, around: Surroundings): ResolvedHost[] {
  const { Cluster, InitConfiguration: init, JoinConfiguration: join } = documents;
  const hosts = Cluster?.spec.hosts ?? [];
  const first = firstOf(hosts);
  return hosts.map((host) => {
    const document = host === first ? init : join;
    const base = document?.nodeRegistration;
    const patches = host.patches || document?.patches?.directory;
    const [nodeIP = '', secondaryNodeIP] = (host.nodeIP ?? host.address).split(',').map(canonicalAddress);
    const endpoint = host === first ? init?.localAPIEndpoint : join?.controlPlane?.localAPIEndpoint;
    return {
      name: host.name,
      role: host.role,
      state: host.state ?? 'present',
      ssh: resolveSsh(host, Cluster?.spec.ssh, around),
      nodeIP,
      ...(secondaryNodeIP === undefined ? {} : { secondaryNodeIP }),
      ...(host.architecture === undefined ? {} : { architecture: host.architecture }),
      labels: host.labels ?? {},
      nodeRegistration: resolveRegistration(host, base, nodeIPFlag(host, nodeIP, secondaryNodeIP)),
      localAPIEndpoint:
        host.role === 'control-plane'
          ? {
              advertiseAddress: host.advertiseAddress || endpoint?.advertiseAddress || nodeIP,
              bindPort: endpoint?.bindPort || init?.localAPIEndpoint?.bindPort || API_PORT,
            }
          : null,
      patchesDirectory: patches ? absolutePath(patches, around) : null,
    };
  });
}

/** The control plane that is initialised: the first one in the list that is to be there. */
function firstOf(hosts: readonly HostInput[]): HostInput | undefined {
  return hosts.find((host) => host.role === 'control-plane' && host.state !== 'absent');
}

/**
 * What is left open is '' (user), 0 (port) and [] (known_hosts) where `ssh -G` is to be asked; otherwise it
 * has OpenSSH's defaults, and root.
 */
function resolveSsh(
  host: HostInput,
  shared: NonNullable<Documents['Cluster']>['spec']['ssh'],
  around: Surroundings,
): SshSettings {
  const useSshConfig = shared?.useSshConfig ?? true;
  const identityFile = host.identityFile ?? shared?.identityFile;
  const fingerprint = host.hostKeyFingerprint ?? shared?.hostKeyFingerprint;
  const files =
    shared?.knownHostsFile ?? (useSshConfig ? [] : ['~/.ssh/known_hosts', '/etc/ssh/ssh_known_hosts']);
  return {
    address: host.address,
    port: host.port ?? shared?.port ?? (useSshConfig ? 0 : 22),
    user: host.user ?? shared?.user ?? (useSshConfig ? '' : 'root'),
    ...(identityFile === undefined ? {} : { identityFile: absolutePath(identityFile, around) }),
    knownHostsFiles: [files].flat().map((file) => absolutePath(file, around)),
    ...(fingerprint === undefined ? {} : { hostKeyFingerprint: fingerprint }),
    jumpHosts: host.jumpHosts ?? shared?.jumpHosts ?? [],
    agent: shared?.agent ?? Boolean(around.env.SSH_AUTH_SOCK),
    useSshConfig,
  };
}

/** A kubelet finds one address by itself. Whether that is the right one is known once the host was looked at. */
function nodeIPFlag(host: HostInput, nodeIP: string, secondary: string | undefined): Arg[] {
  if (secondary === undefined || host.role === 'etcd') return [];
  return [{ name: 'node-ip', value: `${nodeIP},${secondary}` }];
}

function resolveRegistration(
  host: HostInput,
  base: NodeRegistrationInput | undefined,
  defaults: readonly Arg[],
): NodeRegistration {
  const own = host.nodeRegistration;
  const taints = host.taints ?? own?.taints ?? base?.taints;
  const stated = mergeArgs(base?.kubeletExtraArgs, own?.kubeletExtraArgs);
  const added = defaults.filter(({ name }) => !stated?.some((arg) => arg.name === name));
  const args = added.length === 0 ? stated : [...(stated ?? []), ...added];
  const ignored = own?.ignorePreflightErrors ?? base?.ignorePreflightErrors;
  return {
    name: own?.name || base?.name || host.name,
    criSocket: own?.criSocket || base?.criSocket || 'unix:///var/run/containerd/containerd.sock',
    ...(taints === undefined ? {} : { taints: taints.map(toTaint) }),
    ...(args === undefined ? {} : { kubeletExtraArgs: args }),
    ...(ignored === undefined ? {} : { ignorePreflightErrors: ignored }),
    imagePullPolicy: own?.imagePullPolicy || base?.imagePullPolicy || 'IfNotPresent',
    imagePullSerial: own?.imagePullSerial ?? base?.imagePullSerial ?? true,
  };
}

function toTaint({ key, value, effect }: NonNullable<HostInput['taints']>[number]): Taint {
  return value ? { key, value, effect } : { key, effect };
}

/** Flags of the host in place of the flags of that name in the document. */
function mergeArgs(base: Arg[] | undefined, own: Arg[] | undefined): Arg[] | undefined {
  if (own === undefined) return base;
  return [...(base ?? []).filter(({ name }) => !own.some((arg) => arg.name === name)), ...own];
}
