import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { printConfig } from '../../../src/config/print.js';
import { CLUSTER, ETCD_HOSTS, KUBEADM, parse, stream } from './support.js';

const WIDE = `apiVersion: keelson.dev/v1alpha1
kind: Cluster
metadata: {name: wide}
spec:
  ssh: {user: op, jumpHosts: ["me@bastion:2222"], useSshConfig: false, agent: true, identityFile: id}
  hosts:
    - {name: gone, role: control-plane, address: 10.0.0.9, state: absent}
    - {name: cp1, role: control-plane, address: cp1.example.com, nodeIP: 10.0.0.1, port: 2200}
    - {name: cp2, role: control-plane, address: 10.0.0.2, advertiseAddress: 10.1.0.2, patches: p2}
    - {name: cp3, role: control-plane, address: 10.0.0.3, taints: []}
    - name: w1
      role: worker
      address: 10.0.0.4
      labels: {disk: "on", example.com/rack: "07"}
      hostKeyFingerprint: SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU
      nodeRegistration: {name: worker-1, kubeletExtraArgs: [{name: v, value: "2"}]}
  network: {plugin: flannel, backend: host-gw, interfacePattern: '^10[.]'}
  bundle: b
  ignorePreflightErrors: [Swap]
  concurrency: 3
`;
const WIDE_KUBEADM = `${KUBEADM}controlPlaneEndpoint: "[fd00::9]:6443"
clusterName: "yes"
etcd: {external: {endpoints: ["https://e:2379"], caFile: /a, certFile: /b, keyFile: /c}}
apiServer: {extraArgs: [{name: a, value: "0640"}, {name: a, value: "1_000"}], extraEnvs: [{name: E, value: "on"}]}
featureGates: {RootlessControlPlane: false}
`;
const INIT = `apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
bootstrapTokens: [{token: abcdef.0123456789abcdef, ttl: 0s}]
patches: {directory: /p}
nodeRegistration: {taints: [{key: a, effect: NoExecute}]}
skipPhases: [addon/coredns]
timeouts: {discovery: 9m}
`;
const JOIN = `apiVersion: kubeadm.k8s.io/v1beta4
kind: JoinConfiguration
controlPlane: {localAPIEndpoint: {bindPort: 7443}}
timeouts: {tlsBootstrap: 8m}
`;
const KUBE_PROXY =
  'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nconntrack: {maxPerCore: 0, min: null}\n';

const MEMBERS =
  'etcd: {local: {dataDir: /srv/etcd, peerCertSANs: [etcd.example], extraArgs: [{name: v, value: "1"}]}}\n';

test.each([
  ['a small configuration', stream(CLUSTER, KUBEADM)],
  ['one that says everything', stream(WIDE, WIDE_KUBEADM, INIT, JOIN, KUBE_PROXY)],
  ['one with hosts of role etcd', stream(`${CLUSTER}${ETCD_HOSTS}`, `${KUBEADM}${MEMBERS}`)],
  ['a network of one’s own', stream(`${CLUSTER}  network: {plugin: none}\n`, KUBEADM)],
  [
    'flannel with wireguard',
    stream(
      `${CLUSTER}  network: {plugin: flannel, backend: wireguard, mtu: 1380, interface: eth1}\n`,
      KUBEADM,
    ),
  ],
  [
    'Calico',
    stream(
      `${CLUSTER}  network: {plugin: calico, calico: {manifest: {file: c.yaml}, mode: mixed, encapsulation: ipip, mtu: 1400, bgp: {asNumber: 64513, peers: [{name: r, address: "[fd00::1]:1179", asNumber: 65000}]}, felix: {bpfEnabled: false}}}\n`,
      KUBEADM,
    ),
  ],
  [
    'Calico with VXLAN',
    stream(`${CLUSTER}  network: {plugin: calico, calico: {manifest: {file: c.yaml}}}\n`, KUBEADM),
  ],
  [
    'manifests',
    stream(
      `${CLUSTER}  network: {plugin: manifest, manifests: [{file: n.yaml}, {url: "https://example.com/a.yaml", sha256: ${'a'.repeat(64)}}]}\n`,
      KUBEADM,
    ),
  ],
])('%s is the same after printing and reading', (_, text) => {
  const config = parse(text);
  const printed = printConfig(config);
  const again = parse(printed);
  expect({ ...again, notes: [] }).toEqual({ ...config, notes: [] });
  expect(printConfig(again)).toBe(printed);
});

test('a migrated configuration prints as v1beta4', () => {
  const old = readFileSync(new URL('testdata/v1beta3.yaml', import.meta.url), 'utf8');
  const printed = printConfig(parse(stream(CLUSTER, old)));
  expect(printed).not.toContain('v1beta3');
  expect(parse(printed).joinTimeouts.discovery).toBe('9m0s');
});

test('defaults are printed, and strings that YAML 1.1 misreads are quoted', () => {
  const printed = printConfig(parse(stream(WIDE, WIDE_KUBEADM)));
  expect(printed).toContain('certificateValidityPeriod: 8760h0m0s\n');
  expect(printed).toContain('clusterName: "yes"\n');
  expect(printed).toContain('disk: "on"\n');
  expect(printed).toContain('value: "1_000"\n');
});
