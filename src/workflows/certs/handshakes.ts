import { presentedChain } from '../../cluster/presented.js';
import type { Endpoint } from '../../cluster/tls-agent.js';
import { memberAddress, memberSettings } from '../../config/inventory.js';
import type { ClusterConfig, ControlPlaneComponent, ResolvedHost } from '../../config/types.js';
import { toKeelsonError } from '../../errors/keelson-error.js';
import type { HostReader } from '../../host/types.js';
import { lastArgument } from '../../manifests/component-arguments.js';
import { toPem } from '../../pki/pem.js';
import type { Presented } from '../../pki/survey/types.js';

/** The programs of a host that serve TLS, and where, as the host itself sees them. */
export function servedOn(
  config: ClusterConfig,
  host: ResolvedHost,
): { program: string; endpoint: Endpoint }[] {
  const { cluster } = config;
  const served: { program: string; endpoint: Endpoint }[] = [];
  if (host.localAPIEndpoint !== null) {
    const { advertiseAddress: address, bindPort: port } = host.localAPIEndpoint;
    served.push({ program: 'kube-apiserver', endpoint: { address, port } });
  }
  if (memberSettings(cluster, host) !== undefined) {
    const address = memberAddress(host);
    served.push({ program: 'etcd', endpoint: { address, port: 2379 } });
    served.push({ program: 'etcd-peer', endpoint: { address, port: 2380 } });
  }
  if (host.role === 'control-plane') {
    served.push({ program: 'kube-controller-manager', endpoint: localOf(cluster.controllerManager, 10257) });
    served.push({ program: 'kube-scheduler', endpoint: localOf(cluster.scheduler, 10259) });
  }
  // The kubelet of a host of role etcd serves nobody.
  if (host.role !== 'etcd') {
    const port =
      typeof config.kubelet.port === 'number' && config.kubelet.port > 0 ? config.kubelet.port : 10250;
    served.push({ program: 'kubelet', endpoint: { address: host.nodeIP, port } });
  }
  return served;
}

function localOf({ extraArgs }: ControlPlaneComponent, port: number): Endpoint {
  const bound = lastArgument(extraArgs, 'bind-address');
  const anywhere = bound === undefined || bound === '0.0.0.0' || bound === '::';
  return {
    address: anywhere ? '127.0.0.1' : bound,
    port: Number(lastArgument(extraArgs, 'secure-port') ?? port),
  };
}

/** What the programs of one host present, seen from that host. Never rejects, but for the signal. */
export async function presentedOn(
  config: ClusterConfig,
  host: ResolvedHost,
  reader: HostReader,
  signal: AbortSignal,
): Promise<Presented[]> {
  return Promise.all(
    servedOn(config, host).map(async ({ program, endpoint }): Promise<Presented> => {
      const { address, port } = endpoint;
      const place = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
      const base = { host: host.name, program, place };
      try {
        const chain = await presentedChain(reader, endpoint, signal);
        return { ...base, answer: { chain: chain.map((der) => toPem(der, 'CERTIFICATE')) } };
      } catch (error) {
        signal.throwIfAborted();
        return { ...base, answer: { failure: toKeelsonError(error).message } };
      }
    }),
  );
}
