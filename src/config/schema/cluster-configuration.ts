import * as z from 'zod';
import { parseCidrs, sizeOf } from '../cidr.js';
import { parseGoDuration } from '../go-duration.js';
import {
  type Check,
  checkAbsolute,
  checkDnsName,
  checked,
  checkHostPort,
  checkOwnDirectory,
  checkRepository,
  checkSubnets,
  required,
  sans,
} from './common.js';
import { args, controlPlaneComponent, envs } from './kubeadm-common.js';

/** A service range may have at most 2^20 addresses, and at least 10 (kubeadm's limits). */
const checkServiceSubnet: Check = (value) => {
  const problem = checkSubnets(value);
  if (problem !== undefined) return problem;
  for (const cidr of parseCidrs(value) ?? []) {
    const bits = cidr.family === 4 ? 32 : 128;
    if (bits - cidr.prefix > 20)
      return `a service range this large is refused by the API server: at least /${bits - 20}`;
    if (sizeOf(cidr) < 10n) return `a service range needs at least 10 addresses: at most /${bits - 4}`;
  }
  return undefined;
};

const checkPodSubnet: Check = (value) => {
  const problem = checkSubnets(value);
  if (problem !== undefined) return problem;
  const small = (parseCidrs(value) ?? []).find((cidr) => sizeOf(cidr) < 14n);
  return small === undefined ? undefined : 'a pod range needs at least 14 addresses';
};

const checkVersion: Check = (value) => {
  if (/^v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/.test(value)) return undefined;
  const labels = /^(stable|latest|ci\/|release\/)/.test(value);
  const why = labels ? 'depends on the day and on the network' : 'is no exact version';
  return `"${value}" ${why}; an exact version is needed, such as v1.36.3`;
};

const checkPositiveDuration: Check = (value) => {
  const parsed = parseGoDuration(value);
  if ('error' in parsed) return parsed.error;
  return parsed.ms > 0 ? undefined : 'a certificate must be valid for some time';
};

const checkUrl: Check = (value) => {
  const url = URL.canParse(value) ? new URL(value) : null;
  return url !== null && ['https:', 'http:'].includes(url.protocol) && url.hostname !== ''
    ? undefined
    : `"${value}" is no URL; write https://host:2379`;
};

const image = {
  imageRepository: checked(checkRepository)
    .optional()
    .describe('Repository of the image; default that of the cluster.'),
  imageTag: z.string().optional().describe('Tag of the image; default that of the Kubernetes version.'),
};

const localEtcd = z.strictObject({
  ...image,
  dataDir: checked(checkOwnDirectory)
    .optional()
    .describe('Data directory on the host; default /var/lib/etcd.'),
  extraArgs: args('Flags of etcd.').optional(),
  extraEnvs: envs.optional(),
  serverCertSANs: sans("More alternative names in etcd's server certificate.").optional(),
  peerCertSANs: sans("More alternative names in etcd's peer certificate.").optional(),
});

const externalEtcd = z.strictObject({
  endpoints: z.array(required(checkUrl)).min(1).describe('Client URLs of the etcd members.'),
  httpEndpoints: z
    .array(required(checkUrl))
    .optional()
    .describe('URLs for metrics and health; default the endpoints.'),
  caFile: checked(checkAbsolute).optional().describe('CA certificate, path on the control planes.'),
  certFile: checked(checkAbsolute).optional().describe('Client certificate, path on the control planes.'),
  keyFile: checked(checkAbsolute).optional().describe('Client key, path on the control planes.'),
});

/** kubeadm.k8s.io/v1beta4 ClusterConfiguration, as a user writes it. */
export const clusterConfiguration = z
  .strictObject({
    apiVersion: z.literal('kubeadm.k8s.io/v1beta4'),
    kind: z.literal('ClusterConfiguration'),
    kubernetesVersion: required(checkVersion).describe('Exact version, v1.36.3.'),
    clusterName: z.string().optional().describe('Name of the cluster in kubeconfigs; default kubernetes.'),
    controlPlaneEndpoint: checked(checkHostPort)
      .optional()
      .describe(
        'Stable address of the API: host:port of a load balancer or DNS name. Needed for several control planes.',
      ),
    imageRepository: checked(checkRepository)
      .optional()
      .describe('Registry and path of images; default registry.k8s.io.'),
    certificatesDir: checked(checkAbsolute).optional().describe('Default /etc/kubernetes/pki.'),
    encryptionAlgorithm: z
      .enum(['RSA-2048', 'RSA-3072', 'RSA-4096', 'ECDSA-P256', 'ECDSA-P384'])
      .or(z.literal(''))
      .optional()
      .describe('Algorithm of all keys; default RSA-2048.'),
    certificateValidityPeriod: checked(checkPositiveDuration)
      .optional()
      .describe('Validity of certificates, a Go duration; default 8760h0m0s.'),
    caCertificateValidityPeriod: checked(checkPositiveDuration)
      .optional()
      .describe('Validity of CA certificates, a Go duration; default 87600h0m0s.'),
    networking: z
      .strictObject({
        dnsDomain: checked(checkDnsName).optional().describe('Domain of services; default cluster.local.'),
        serviceSubnet: checked(checkServiceSubnet)
          .optional()
          .describe('Range of services; default 10.96.0.0/12.'),
        podSubnet: checked(checkPodSubnet).optional().describe('Range of pods; needed by flannel.'),
      })
      .optional()
      .describe('Ranges and domain of the cluster.'),
    apiServer: z
      .strictObject({
        ...controlPlaneComponent,
        certSANs: sans("More alternative names in the API server's certificate.").optional(),
      })
      .optional()
      .describe('kube-apiserver.'),
    controllerManager: z.strictObject(controlPlaneComponent).optional().describe('kube-controller-manager.'),
    scheduler: z.strictObject(controlPlaneComponent).optional().describe('kube-scheduler.'),
    etcd: z
      .strictObject({
        local: localEtcd.optional().describe('etcd as static pods on the control planes (the default).'),
        external: externalEtcd.optional().describe('An etcd that is run elsewhere.'),
      })
      .optional()
      .describe('etcd, local or external.'),
    dns: z
      .strictObject({ ...image, disabled: z.boolean().optional().describe('Do not install CoreDNS.') })
      .optional()
      .describe('CoreDNS.'),
    proxy: z
      .strictObject({ disabled: z.boolean().optional().describe('Do not install kube-proxy.') })
      .optional()
      .describe('kube-proxy.'),
    featureGates: z.record(z.string(), z.boolean()).optional().describe("kubeadm's own feature gates."),
  })
  .describe("kubeadm's configuration of the cluster.");

export type ClusterConfigurationInput = z.output<typeof clusterConfiguration>;
