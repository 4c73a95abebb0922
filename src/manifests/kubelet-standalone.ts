import type { ClusterConfig, ResolvedHost } from '../config/types.js';
import { clusterKubeletConfiguration, type KubeletSurroundings } from './kubelet-configuration.js';
import { STATIC_POD_DIRECTORY } from './static-pods/static-pods.js';
import { stringifyYaml } from './yaml.js';

/** Where kubeadm's guide to an external etcd puts it; the drop-in with the higher number wins. */
export const ETCD_KUBELET_DROP_IN_PATH =
  '/usr/lib/systemd/system/kubelet.service.d/20-etcd-service-manager.conf';

/** A kubelet that belongs to no cluster: it has no kubeconfig, only static pods. */
export const ETCD_KUBELET_DROP_IN_FILE = `[Service]
# For flags of this host alone.
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart=/usr/bin/kubelet --config=/var/lib/kubelet/config.yaml $KUBELET_EXTRA_ARGS
`;

/**
 * /var/lib/kubelet/config.yaml of a host of role etcd: the user's KubeletConfiguration without what needs an
 * API server. Its own API is on loopback and lets nobody in.
 */
export function standaloneKubeletConfigFile(
  config: ClusterConfig,
  host: ResolvedHost,
  surroundings: KubeletSurroundings = {},
): string {
  const { clusterDNS: _dns, ...cluster } = clusterKubeletConfiguration(config, surroundings);
  return stringifyYaml({
    ...cluster,
    address: '127.0.0.1',
    authentication: {
      anonymous: { enabled: false },
      webhook: { cacheTTL: '0s', enabled: false },
      x509: {},
    },
    authorization: {
      mode: 'AlwaysAllow',
      webhook: { cacheAuthorizedTTL: '0s', cacheUnauthorizedTTL: '0s' },
    },
    clusterDomain: '',
    containerRuntimeEndpoint: host.nodeRegistration.criSocket,
    rotateCertificates: false,
    serverTLSBootstrap: false,
    staticPodPath: STATIC_POD_DIRECTORY,
  });
}
