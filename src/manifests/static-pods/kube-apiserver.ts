import type { Pod } from 'kubernetes-types/core/v1.js';
import { asControlPlane, timeoutsOf } from '../../config/inventory.js';
import type { Arg, ClusterConfig, ResolvedHost } from '../../config/types.js';
import { joinHostPort, loopbackFor } from '../addresses.js';
import { argumentsOf, lastArgument, mergeArguments } from '../component-arguments.js';
import { kubernetesImage } from '../image-names.js';
import {
  componentPod,
  environment,
  type HostSurroundings,
  livenessProbe,
  PROBE_PORT,
  probeAddress,
  readinessProbe,
  startupProbe,
} from './pod.js';
import { certificateMounts, externalEtcdMounts, hostPathMounts } from './volumes.js';

export function apiServerPod(config: ClusterConfig, host: ResolvedHost, surroundings: HostSurroundings): Pod {
  const { cluster } = config;
  const { external } = cluster.etcd;
  const { advertiseAddress, bindPort } = asControlPlane(host).localAPIEndpoint;
  const endpoint = { host: probeAddress(advertiseAddress), scheme: 'HTTPS' as const };
  const timeout = timeoutsOf(config, host).controlPlaneComponentHealthCheck;
  return componentPod({
    name: 'kube-apiserver',
    image: kubernetesImage(cluster, 'kube-apiserver'),
    command: ['kube-apiserver', ...apiServerArguments(config, host)],
    env: environment(surroundings.proxyEnvironment, cluster.apiServer.extraEnvs),
    ports: [{ name: PROBE_PORT, containerPort: bindPort, protocol: 'TCP' }],
    probes: {
      liveness: livenessProbe(endpoint, '/livez'),
      readiness: readinessProbe(endpoint, '/readyz'),
      startup: startupProbe(endpoint, '/livez', timeout),
    },
    requests: { cpu: '250m' },
    ...hostPathMounts([
      ...(external === undefined ? [] : externalEtcdMounts(external, cluster.certificatesDir)),
      ...certificateMounts(cluster.certificatesDir, surroundings.caDirectories),
      ...(cluster.apiServer.extraVolumes ?? []),
    ]),
    annotations: {
      'kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint': joinHostPort(
        advertiseAddress,
        bindPort,
      ),
    },
  });
}

function apiServerArguments(config: ClusterConfig, host: ResolvedHost): string[] {
  const { certificatesDir, networking, apiServer } = config.cluster;
  const { advertiseAddress, bindPort } = asControlPlane(host).localAPIEndpoint;
  const defaults = argumentsOf({
    'advertise-address': advertiseAddress,
    'enable-admission-plugins': 'NodeRestriction',
    'service-cluster-ip-range': networking.serviceSubnet,
    'service-account-key-file': `${certificatesDir}/sa.pub`,
    'service-account-signing-key-file': `${certificatesDir}/sa.key`,
    'service-account-issuer': `https://kubernetes.default.svc.${networking.dnsDomain}`,
    'client-ca-file': `${certificatesDir}/ca.crt`,
    'tls-cert-file': `${certificatesDir}/apiserver.crt`,
    'tls-private-key-file': `${certificatesDir}/apiserver.key`,
    'kubelet-client-certificate': `${certificatesDir}/apiserver-kubelet-client.crt`,
    'kubelet-client-key': `${certificatesDir}/apiserver-kubelet-client.key`,
    'enable-bootstrap-token-auth': 'true',
    'secure-port': String(bindPort),
    'allow-privileged': 'true',
    'kubelet-preferred-address-types': 'InternalIP,ExternalIP,Hostname',
    'requestheader-username-headers': 'X-Remote-User',
    'requestheader-group-headers': 'X-Remote-Group',
    'requestheader-extra-headers-prefix': 'X-Remote-Extra-',
    'requestheader-client-ca-file': `${certificatesDir}/front-proxy-ca.crt`,
    'requestheader-allowed-names': 'front-proxy-client',
    'proxy-client-cert-file': `${certificatesDir}/front-proxy-client.crt`,
    'proxy-client-key-file': `${certificatesDir}/front-proxy-client.key`,
    ...(lastArgument(apiServer.extraArgs, 'authorization-config') === undefined
      ? { 'authorization-mode': 'Node,RBAC' }
      : {}),
  });
  return mergeArguments([...defaults, ...etcdClientArguments(config, advertiseAddress)], apiServer.extraArgs);
}

function etcdClientArguments({ cluster }: ClusterConfig, advertiseAddress: string): Arg[] {
  const { certificatesDir, etcd } = cluster;
  if (etcd.external !== undefined) {
    const { endpoints, caFile, certFile, keyFile } = etcd.external;
    return argumentsOf({
      'etcd-servers': endpoints.join(','),
      ...(caFile ? { 'etcd-cafile': caFile } : {}),
      ...(certFile && keyFile ? { 'etcd-certfile': certFile, 'etcd-keyfile': keyFile } : {}),
    });
  }
  const advertised = lastArgument(etcd.local?.extraArgs, 'advertise-client-urls');
  return argumentsOf({
    'etcd-servers': advertised ?? `https://${joinHostPort(loopbackFor(advertiseAddress), 2379)}`,
    'etcd-cafile': `${certificatesDir}/etcd/ca.crt`,
    'etcd-certfile': `${certificatesDir}/apiserver-etcd-client.crt`,
    'etcd-keyfile': `${certificatesDir}/apiserver-etcd-client.key`,
  });
}
