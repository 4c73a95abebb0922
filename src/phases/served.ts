import type { Endpoint } from '../cluster/tls-agent.js';
import { memberAddress, memberSettings } from '../config/inventory.js';
import type { ClusterConfig, ControlPlaneComponent, ResolvedHost } from '../config/types.js';
import { lastArgument } from '../manifests/component-arguments.js';

export type ServingProgram =
  | 'kube-apiserver'
  | 'etcd'
  | 'etcd-peer'
  | 'kube-controller-manager'
  | 'kube-scheduler'
  | 'kubelet';

/** The programs of a host that serve TLS, and where, as the host itself sees them. */
export function servedOn(
  config: ClusterConfig,
  host: ResolvedHost,
): { program: ServingProgram; endpoint: Endpoint }[] {
  const { cluster } = config;
  const served: { program: ServingProgram; endpoint: Endpoint }[] = [];
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
    const { port } = config.kubelet;
    const own = typeof port === 'number' && port > 0 ? port : 10250;
    served.push({ program: 'kubelet', endpoint: { address: host.nodeIP, port: own } });
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
