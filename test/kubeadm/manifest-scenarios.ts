import type { Scenario } from './dry-run.js';
import type { OracleVersion } from './oracle.js';

const external = (directory: string, more: object = {}) => ({
  endpoints: ['https://10.0.0.5:2379', 'https://10.0.0.6:2379'],
  caFile: `${directory}/ca.crt`,
  certFile: `${directory}/client.crt`,
  keyFile: `${directory}/client.key`,
  ...more,
});

const apiServer = (apiServer: NonNullable<Scenario['cluster']>['apiServer']): Scenario =>
  ({ cluster: { apiServer } }) as Scenario;

const patch = (name: string, content: string): Scenario => ({ patches: [{ name, content }] });

/** Configurations written by hand, by what is special about them. */
export const MANIFEST_SCENARIOS: Readonly<
  Record<string, Scenario & { versions?: readonly OracleVersion[] }>
> = {
  'nothing but defaults': {},
  'a pod subnet': { cluster: { networking: { podSubnet: '10.244.0.0/16' } } },
  'another service subnet and DNS domain': {
    cluster: { networking: { serviceSubnet: '172.20.0.0/20', dnsDomain: 'corp.example' } },
  },
  'a small service subnet': { cluster: { networking: { serviceSubnet: '10.1.2.16/28' } } },
  'IPv6 alone': {
    cluster: { networking: { podSubnet: 'fd00:10:244::/56', serviceSubnet: 'fd00:10:96::/112' } },
    localAPIEndpoint: { advertiseAddress: 'fd00::11' },
  },
  'dual stack, IPv4 first': {
    cluster: {
      networking: {
        podSubnet: '10.244.0.0/16,fd00:10:244::/56',
        serviceSubnet: '10.96.0.0/16,fd00:10:96::/112',
      },
    },
  },
  'dual stack, IPv6 first': {
    cluster: {
      networking: {
        podSubnet: 'fd00:10:244::/56,10.244.0.0/16',
        serviceSubnet: 'fd00:10:96::/112,10.96.0.0/16',
      },
    },
    localAPIEndpoint: { advertiseAddress: '2001:db8::1' },
  },
  'a controlPlaneEndpoint with port': { cluster: { controlPlaneEndpoint: 'k8s.example.com:8443' } },
  'a controlPlaneEndpoint without port': { cluster: { controlPlaneEndpoint: 'k8s.example.com' } },
  'an IPv6 controlPlaneEndpoint': {
    cluster: { controlPlaneEndpoint: '[fd00::100]:7443', networking: { serviceSubnet: 'fd00:10:96::/112' } },
    localAPIEndpoint: { advertiseAddress: 'fd00::11' },
  },
  'another bind port': { localAPIEndpoint: { advertiseAddress: '10.88.0.12', bindPort: 7443 } },
  'another image repository': { cluster: { imageRepository: 'registry.example.com/k8s' } },
  'images of etcd and CoreDNS overridden': {
    cluster: {
      etcd: { local: { imageRepository: 'example.com/etcd', imageTag: '3.6.7-0' } },
      dns: { imageRepository: 'example.com/dns', imageTag: 'v1.13.0' },
    },
  },
  'another certificates directory and cluster name': {
    cluster: { certificatesDir: '/srv/pki', clusterName: 'production' },
  },
  'extra arguments that override, add and repeat': {
    cluster: {
      apiServer: {
        extraArgs: [
          { name: 'audit-log-path', value: '/var/log/audit.log' },
          { name: 'service-account-issuer', value: 'https://a.example' },
          { name: 'service-account-issuer', value: 'https://b.example' },
          { name: 'enable-admission-plugins', value: 'NodeRestriction,PodSecurity' },
        ],
      },
      controllerManager: { extraArgs: [{ name: 'node-cidr-mask-size', value: '20' }] },
      scheduler: { extraArgs: [{ name: 'v', value: '4' }] },
    },
  },
  'empty values of arguments': apiServer({ extraArgs: [{ name: 'runtime-config', value: '' }] }),
  'an authorization mode': apiServer({
    extraArgs: [{ name: 'authorization-mode', value: 'Node,RBAC,Webhook' }],
  }),
  'an authorization config': apiServer({
    extraArgs: [{ name: 'authorization-config', value: '/etc/authz.yaml' }],
  }),
  'components bound to all addresses': {
    cluster: {
      controllerManager: { extraArgs: [{ name: 'bind-address', value: '0.0.0.0' }] },
      scheduler: { extraArgs: [{ name: 'bind-address', value: '::' }] },
    },
  },
  'components bound to other addresses': {
    cluster: {
      controllerManager: {
        extraArgs: [
          { name: 'bind-address', value: '10.0.0.1' },
          { name: 'bind-address', value: '10.0.0.2' },
        ],
      },
      scheduler: { extraArgs: [{ name: 'bind-address', value: '::1' }] },
    },
  },
  'a FlexVolume directory': {
    cluster: { controllerManager: { extraArgs: [{ name: 'flex-volume-plugin-dir', value: '/opt/flex' }] } },
  },
  'extra volumes of every kind': apiServer({
    extraVolumes: [
      { name: 'audit', hostPath: '/var/log/k8s', mountPath: '/logs', pathType: 'DirectoryOrCreate' },
      {
        name: 'policy',
        hostPath: '/etc/policy.yaml',
        mountPath: '/policy.yaml',
        readOnly: true,
        pathType: 'File',
      },
      { name: 'plain', hostPath: '/srv/plain', mountPath: '/plain' },
    ],
  }),
  'an extra volume that replaces a default one': apiServer({
    extraVolumes: [{ name: 'ca-certs', hostPath: '/opt/certs', mountPath: '/etc/ssl/certs', readOnly: true }],
  }),
  'extra volumes of the others': {
    cluster: {
      controllerManager: {
        extraVolumes: [{ name: 'cloud', hostPath: '/etc/cloud', mountPath: '/etc/cloud' }],
      },
      scheduler: {
        extraVolumes: [{ name: 'config', hostPath: '/etc/sched', mountPath: '/etc/sched', readOnly: true }],
      },
    },
  },
  'extra environment': {
    cluster: {
      apiServer: {
        extraEnvs: [
          { name: 'ZED', value: '1' },
          { name: 'GOGC', value: '50' },
          { name: 'ZED', value: '2' },
        ],
      },
      controllerManager: { extraEnvs: [{ name: 'EMPTY', value: '' }] },
      scheduler: { extraEnvs: [{ name: 'YES', value: 'yes' }] },
      etcd: { local: { extraEnvs: [{ name: 'ETCD_LOG_LEVEL', value: 'warn' }] } },
    },
  },
  'a proxy in the environment': {
    env: { HTTPS_PROXY: 'http://proxy.example:3128', no_proxy: '10.0.0.0/8' },
    cluster: { apiServer: { extraEnvs: [{ name: 'HTTPS_PROXY', value: 'http://other.example' }] } },
  },
  'etcd with another directory and arguments': {
    cluster: {
      etcd: {
        local: {
          dataDir: '/data/etcd',
          extraArgs: [
            { name: 'quota-backend-bytes', value: '8589934592' },
            { name: 'snapshot-count', value: '5000' },
          ],
          serverCertSANs: ['etcd.example.com'],
          peerCertSANs: ['10.0.0.9'],
        },
      },
    },
  },
  'etcd’s metrics on another URL': {
    cluster: {
      etcd: {
        local: {
          extraArgs: [{ name: 'listen-metrics-urls', value: 'https://10.1.1.1:2390,http://127.0.0.1:2381' }],
        },
      },
    },
  },
  'etcd’s metrics on an IPv6 URL without port': {
    cluster: { etcd: { local: { extraArgs: [{ name: 'listen-metrics-urls', value: 'http://[::1]' }] } } },
  },
  'etcd that advertises another URL': {
    cluster: {
      etcd: {
        local: { extraArgs: [{ name: 'advertise-client-urls', value: 'https://etcd.example.com:2379' }] },
      },
    },
  },
  'an etcd 3.5 image': { cluster: { etcd: { local: { imageTag: '3.5.24-0' } } } },
  'an external etcd': { cluster: { etcd: { external: external('/etc/etcd/pki') } } },
  'an external etcd whose certificates are in several places': {
    cluster: {
      etcd: {
        external: external('/etc/etcd/pki', { caFile: '/etc/etcd/ca.crt', keyFile: '/srv/keys/client.key' }),
      },
    },
  },
  'an external etcd whose certificates are beside Kubernetes’': {
    cluster: { etcd: { external: external('/etc/kubernetes/pki/etcd') } },
  },
  'an external etcd without certificates': {
    cluster: {
      etcd: { external: { endpoints: ['http://10.0.0.5:2379'], caFile: '', certFile: '', keyFile: '' } },
    },
  },
  'add-ons disabled': { cluster: { dns: { disabled: true }, proxy: { disabled: true } } },
  'extra SANs, other validity periods': {
    cluster: {
      apiServer: { certSANs: ['api.example.com', '192.0.2.1'] },
      certificateValidityPeriod: '4380h0m0s',
      caCertificateValidityPeriod: '43800h',
    },
  },
  'a control plane that may be slow': { timeouts: { controlPlaneComponentHealthCheck: '12m5s' } },
  'the CRI socket among the flags': {
    versions: ['v1.35.4', 'v1.34.4'],
    cluster: { featureGates: { NodeLocalCRISocket: false } },
    nodeRegistration: { criSocket: 'unix:///run/crio/crio.sock' },
  },
  'another CRI socket': { nodeRegistration: { criSocket: 'unix:///run/crio/crio.sock' } },
  'taints and kubelet arguments': {
    nodeRegistration: {
      name: 'node-7',
      taints: [{ key: 'dedicated', value: 'gpu', effect: 'NoSchedule' }],
      kubeletExtraArgs: [
        { name: 'node-ip', value: '10.88.0.11' },
        { name: 'node-labels', value: 'a=b,c=d' },
      ],
    },
  },
  'a hostname override among the kubelet’s arguments': {
    nodeRegistration: { name: 'node-7', kubeletExtraArgs: [{ name: 'hostname-override', value: 'node-8' }] },
  },
  'a kubelet configuration': {
    kubelet: {
      cgroupDriver: 'cgroupfs',
      failSwapOn: false,
      failCgroupV1: false,
      maxPods: 250,
      serializeImagePulls: false,
      syncFrequency: '90s',
      nodeStatusUpdateFrequency: '1500ms',
      evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '1%' },
      featureGates: { NodeSwap: true },
      memorySwap: { swapBehavior: 'LimitedSwap' },
      authentication: { webhook: { cacheTTL: '2m' } },
      logging: { format: 'json', flushFrequency: '5s' },
      crashLoopBackOff: { maxContainerRestartPeriod: '60s' },
    },
  },
  'kubelet defaults overridden, and empty values': {
    kubelet: {
      clusterDNS: ['169.254.20.10'],
      clusterDomain: 'other.local',
      rotateCertificates: false,
      readOnlyPort: 0,
      serverTLSBootstrap: true,
      protectKernelDefaults: false,
      featureGates: {},
      tlsCipherSuites: [],
      resolvConf: '',
      authorization: { mode: 'AlwaysAllow' },
      authentication: { anonymous: { enabled: true }, x509: { clientCAFile: '/ca.crt' } },
      containerRuntimeEndpoint: 'unix:///other.sock',
      healthzPort: 0,
      registerWithTaints: [{ key: 'a', effect: 'NoExecute' }],
    },
  },
  'a kube-proxy configuration': {
    kubeProxy: {
      mode: 'nftables',
      conntrack: { maxPerCore: 0, tcpEstablishedTimeout: '24h' },
      nodePortAddresses: ['10.0.0.0/8'],
      iptables: { syncPeriod: '30s' },
      metricsBindAddress: '0.0.0.0:10249',
      featureGates: { KubeProxyDrainingTerminatingNodes: true },
    },
    cluster: { networking: { podSubnet: '10.244.0.0/16' } },
  },
  'a strategic patch of the API server': patch(
    'kube-apiserver0+strategic.yaml',
    `metadata: {annotations: {a: b}}
spec:
  hostAliases: [{ip: 10.0.0.1, hostnames: [x]}]
  containers:
  - name: kube-apiserver
    resources: {requests: {cpu: 500m, memory: 1Gi}}
    env: [{name: NEW, value: "1"}]
    livenessProbe: {timeoutSeconds: 20}
    volumeMounts: [{mountPath: /new, name: new}]
  volumes:
  - {name: new, emptyDir: {}}
  - {name: ca-certs, $patch: delete}
`,
  ),
  'a sidecar, a replaced list and deleted fields': patch(
    'etcd.yaml',
    `spec:
  priorityClassName: null
  securityContext: {$patch: replace, runAsUser: 1000}
  containers:
  - {name: sidecar, image: example.com/sidecar:1}
  - name: etcd
    startupProbe: null
    ports: [{$patch: replace}, {containerPort: 1234}]
`,
  ),
  'a JSON patch': patch(
    'kube-scheduler+json.json',
    JSON.stringify([
      { op: 'test', path: '/spec/hostNetwork', value: true },
      { op: 'add', path: '/spec/containers/0/command/-', value: '--v=5' },
      { op: 'replace', path: '/spec/containers/0/image', value: 'example.com/s:1' },
      { op: 'remove', path: '/spec/priority' },
      { op: 'copy', from: '/metadata/labels/tier', path: '/metadata/labels/a~1b' },
      { op: 'move', from: '/spec/containers/0/startupProbe', path: '/spec/containers/0/readinessProbe' },
    ]),
  ),
  'patches in the order of their names, several in one file': {
    patches: [
      { name: 'kube-apiserver2+merge.yaml', content: 'metadata: {labels: {order: second, kept: null}}' },
      {
        name: 'kube-apiserver1.yaml',
        content: 'metadata: {labels: {order: first, kept: "x"}}\n---\nmetadata: {labels: {also: here}}\n',
      },
      { name: 'README.md', content: 'not a patch' },
      { name: 'unknown.yaml', content: 'a: b' },
    ],
  },
  'patches of the kubelet and of CoreDNS': {
    patches: [
      {
        name: 'kubeletconfiguration+merge.yaml',
        content: 'maxPods: 42\nevictionHard: {imagefs.available: 5%}\n',
      },
      { name: 'kubeletconfiguration0.yaml', content: 'clusterDNS: [10.0.0.53]\nsyncFrequency: 1m0s\n' },
      {
        name: 'corednsdeployment.yaml',
        content:
          'spec: {replicas: 3, template: {spec: {containers: [{name: coredns, resources: {limits: {memory: 300Mi}}}]}}}\n',
      },
    ],
  },
};
