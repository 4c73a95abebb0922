import { describe, expect, test } from 'vitest';
import { CLUSTER, errorOf, KUBEADM, stream } from './support.js';

const HEAD = 'apiVersion: keelson.dev/v1alpha1\nkind: Cluster\nmetadata: {name: demo}\nspec:\n';
const hosts = (...lines: string[]) => `${HEAD}  hosts:\n${lines.map((line) => `    - ${line}\n`).join('')}`;
const CP = '{name: cp1, role: control-plane, address: 10.0.0.1}';
const two = stream(CLUSTER, KUBEADM);
const kubeadm = (line: string) => stream(CLUSTER, `${KUBEADM}${line}\n`);
const networking = (fields: string) =>
  stream(CLUSTER, KUBEADM.replace('{podSubnet: 10.244.0.0/16}', `{${fields}}`));
const document = (apiVersion: string, kind: string, line: string) =>
  stream(two, `apiVersion: ${apiVersion}\nkind: ${kind}\n${line}\n`);
const init = (line: string) => document('kubeadm.k8s.io/v1beta4', 'InitConfiguration', line);
const join = (line: string) => document('kubeadm.k8s.io/v1beta4', 'JoinConfiguration', line);

const TABLE: Record<string, [text: string, lines: string[]][]> = {
  'the stream': [
    [
      '',
      [
        '1:1: there is no Cluster document (keelson.dev/v1alpha1)',
        '1:1: there is no ClusterConfiguration document (kubeadm.k8s.io/v1beta4)',
      ],
    ],
    ['a: [1', ['1:6: Flow sequence in block collection must be sufficiently indented and end with a ]']],
    [`${two}dns: {}\ndns: {}\n`, ['14:1: this key stands here twice']],
    ['a:\n\tb: 1\n', ['2:1: tabs cannot indent YAML: use spaces']],
    [stream(two, '- 1\n'), ['14:1: a document is a map with apiVersion and kind']],
    [stream(two, 'kind: InitConfiguration\n'), ['14:1 apiVersion: required: every document names its kind']],
    [
      document('kubeadm.k8s.io/v1beta4', 'InitConfigration', ''),
      ['15:7 kind: unknown kind InitConfigration; did you mean `InitConfiguration`?'],
    ],
    [document('apps/v1', 'Deployment', ''), ['15:7 kind: unknown kind Deployment']],
    [
      document('kubelet.config.k8s.io/v1', 'KubeletConfiguration', ''),
      ['14:13 apiVersion: KubeletConfiguration is read in kubelet.config.k8s.io/v1beta1 only'],
    ],
    [
      document('kubeadm.k8s.io/v1beta2', 'InitConfiguration', ''),
      [
        '14:13 apiVersion: kubeadm.k8s.io/v1beta2 is too old; migrate it with `kubeadm config migrate` of a kubeadm that knows it (v1.22 reads v1beta2), then give the result to keelson',
      ],
    ],
    [stream(two, KUBEADM), ['15:7 kind: a second ClusterConfiguration: each kind stands once in a file']],
    [kubeadm('clusterName: *x'), ['9:1: unresolved alias (the anchor must be set before the alias): x']],
    [kubeadm('<<: 1'), ['9:1: merge sources must be maps or map aliases']],
    [
      kubeadm('dns: {[a]: b}'),
      [
        '13:7 dns: a key is plain text; quote it where it begins with a bracket or brace',
        '13:6 dns["[ a ]"]: unknown field',
      ],
    ],
    [kubeadm('clusterName: !x y1'), ['13:14: Unresolved tag: !x']],
    [
      kubeadm('clusterName: yes'),
      ['13:14 clusterName: `yes` is a boolean to YAML 1.1: write true, or quote it'],
    ],
    [
      kubeadm('apiServer: {extraArgs: [{name: a, value: 0640}]}'),
      [
        '13:42 apiServer.extraArgs[0].value: `0640` is octal to YAML 1.1: drop the leading zero, or quote it',
        '13:42 apiServer.extraArgs[0].value: expected a string, found 640: quote it',
      ],
    ],
  ],
  'the Cluster document': [
    [
      stream(CLUSTER.replace('name: demo', 'nme: demo'), KUBEADM),
      ['3:12 metadata.nme: unknown field; did you mean `name`?'],
    ],
    [
      stream(CLUSTER.replace('  hosts:', '  hsots:'), KUBEADM),
      ['5:3 spec.hsots: unknown field; did you mean `hosts`?'],
    ],
    [stream(`${HEAD}  hosts: []\n`, KUBEADM), ['5:10 spec.hosts: at least 1 is needed']],
    [
      stream(hosts(CP, '{name: W1, role: wroker, address: 10.0.0.300}'), KUBEADM),
      [
        '7:14 spec.hosts[1].name: "W1" is no DNS name: lower case letters, digits, `-` and `.`, at most 63 characters between dots',
        '7:24 spec.hosts[1].role: "wroker" is not one of control-plane, worker, etcd; did you mean `worker`?',
        '7:41 spec.hosts[1].address: "10.0.0.300" is no IP address; ports, prefixes and brackets do not belong to it',
      ],
    ],
    [stream(hosts(CP, '{name: w1, role: worker}'), KUBEADM), ['7:7 spec.hosts[1].address: required']],
    [
      stream(hosts(CP, '{name: cp1, role: worker, address: 10.0.0.1}'), KUBEADM),
      [
        '7:14 spec.hosts[1].name: the name cp1 is used twice',
        '7:42 spec.hosts[1].address: 10.0.0.1 port 22 is also that of cp1',
      ],
    ],
    [
      stream(hosts(CP, '{name: w1, role: worker, address: a.b, nodeIP: 10.0.0.1}'), KUBEADM),
      ['7:54 spec.hosts[1].nodeIP: 10.0.0.1 is also that of cp1'],
    ],
    [
      stream(
        hosts(
          '{name: cp1, role: control-plane, address: a.b, nodeIP: 10.0.0.2}',
          '{name: w1, role: worker, address: 10.0.0.2}',
        ),
        KUBEADM,
      ),
      ['7:7 spec.hosts[1].nodeIP: 10.0.0.2 is also that of cp1'],
    ],
    [
      stream(hosts(CP, '{name: w1, role: worker, address: w1.example.com}'), KUBEADM),
      ['7:41 spec.hosts[1].address: w1.example.com is a name: add nodeIP, the address inside the cluster'],
    ],
    [
      stream(hosts(CP, '{name: w1, role: worker, address: 127.0.0.1, port: 2222}'), KUBEADM),
      [
        '7:41 spec.hosts[1].address: other hosts cannot reach 127.0.0.1: add nodeIP, the address inside the cluster',
      ],
    ],
    [
      stream(hosts(CP, '{name: w1, role: worker, address: 10.0.0.2, advertiseAddress: 10.0.0.2}'), KUBEADM),
      ['7:51 spec.hosts[1].advertiseAddress: only control planes advertise an API server'],
    ],
    [
      stream(hosts('{name: w1, role: worker, address: 10.0.0.2}'), KUBEADM),
      ['5:3 spec.hosts: no host is a control plane: give at least one the role control-plane'],
    ],
    [
      stream(
        hosts(
          CP,
          '{name: cp2, role: control-plane, address: 10.0.0.2}',
          '{name: cp3, role: control-plane, address: 10.0.0.3}',
        ),
        KUBEADM,
      ),
      [
        '10:1 controlPlaneEndpoint: required with 3 control planes: add the host:port of a load balancer, or of a DNS name of all of them; or let keelson make one: spec.endpoint',
      ],
    ],
    [
      stream(
        hosts(
          CP,
          '{name: w1, role: worker, address: 10.0.0.2, labels: {"a b": x, c: "d e"}, taints: [{key: a, effect: Nope}]}',
        ),
        KUBEADM,
      ),
      [
        '7:60 spec.hosts[1].labels["a b"]: "a b" is no label key; write name or prefix.example.com/name',
        '7:73 spec.hosts[1].labels.c: "d e" is no label value: at most 63 letters, digits, `-`, `_` and `.`',
        '7:107 spec.hosts[1].taints[0].effect: "Nope" is not one of NoSchedule, PreferNoSchedule, NoExecute',
      ],
    ],
    [
      stream(
        `${CLUSTER}  ssh: {port: "22", jumpHosts: ["a b"], knownHostsFile: [1], hostKeyFingerprint: x}\n`,
        KUBEADM,
      ),
      [
        '8:15 spec.ssh.port: expected a number, found "22"',
        '8:33 spec.ssh.jumpHosts[0]: "a b" is no jump host; write [user@]host[:port]',
        '8:58 spec.ssh.knownHostsFile[0]: expected a string, found 1: quote it',
        '8:82 spec.ssh.hostKeyFingerprint: no fingerprint: `ssh-keygen -lf` prints SHA256:…',
      ],
    ],
    [
      stream(`${CLUSTER}  runtime: {systemdCgroup: false}\n`, KUBEADM),
      [
        "8:28 spec.runtime.systemdCgroup: contradicts the kubelet's cgroupDriver systemd: leave it out, and it follows",
      ],
    ],
    [
      stream(`${CLUSTER}  network: {plugin: cilium}\n`, KUBEADM),
      ['8:21 spec.network.plugin: "cilium" is not one of flannel, calico, manifest, none'],
    ],
    [
      stream(`${CLUSTER}  network: {plugin: none, vni: 3}\n`, KUBEADM),
      ['8:27 spec.network.vni: means nothing with plugin none'],
    ],
    [
      stream(`${CLUSTER}  network: {plugin: flannel, backend: host-gw, port: 4789}\n`, KUBEADM),
      ['8:48 spec.network.port: means nothing with backend host-gw'],
    ],
    [
      stream(`${CLUSTER}  network: {plugin: flannel, backend: host-gw, mtu: 1400}\n`, KUBEADM),
      ['8:48 spec.network.mtu: means nothing with backend host-gw'],
    ],
    [
      stream(`${CLUSTER}  network: {plugin: flannel, interface: eth1, interfacePattern: "(?=e)"}\n`, KUBEADM),
      [
        '8:65 spec.network.interfacePattern: "(?=e)" has lookarounds or backreferences, which flannel does not know',
      ],
    ],
    [
      stream(`${CLUSTER}  network: {plugin: flannel, interface: eth1, interfacePattern: eth}\n`, KUBEADM),
      ['8:47 spec.network.interfacePattern: name the interface, or give a pattern: not both'],
    ],
    [
      stream(`${CLUSTER}  network: {plugin: calico}\n`, KUBEADM),
      ['8:21 spec.network.plugin: plugin calico needs calico: {manifest: {file: calico.yaml}}'],
    ],
    [
      stream(
        `${CLUSTER}  network:\n    plugin: calico\n    calico:\n      manifest: {}\n      mode: vxlan\n      encapsulation: ipip\n      bgp: {nodeToNodeMesh: false}\n`,
        KUBEADM,
      ),
      [
        '11:17 spec.network.calico.manifest: give either file, or url with sha256',
        '13:7 spec.network.calico.encapsulation: means nothing with mode vxlan',
        '14:7 spec.network.calico.bgp: means nothing with mode vxlan, which has no BGP',
        '14:29 spec.network.calico.bgp.nodeToNodeMesh: without the mesh and without peers no node learns of the others: all stay Ready, and pods are not reached',
      ],
    ],
    [
      stream(
        `${CLUSTER}  network:\n    plugin: calico\n    calico:\n      manifest: {file: c.yaml}\n      mode: bgp\n      bgp: {peers: [{name: a, address: "10.0.0.300", asNumber: 0}]}\n`,
        KUBEADM,
      ),
      [
        '13:40 spec.network.calico.bgp.peers[0].address: "10.0.0.300" is no address of a peer; write 10.0.0.1, 10.0.0.1:1179 or [fd00::1]:1179',
        '13:64 spec.network.calico.bgp.peers[0].asNumber: at least 1 is needed',
      ],
    ],
    [
      stream(`${CLUSTER}  network: {plugin: manifest}\n`, KUBEADM),
      ['8:21 spec.network.plugin: plugin manifest needs manifests: [{file: network.yaml}]'],
    ],
    [
      stream(
        `${CLUSTER}  network: {plugin: manifest, manifests: [{url: "https://example.com/a"}, {}]}\n`,
        KUBEADM,
      ),
      [
        '8:43 spec.network.manifests[0]: a URL needs sha256, so that what is applied is what you looked at: curl -L URL | sha256sum',
        '8:75 spec.network.manifests[1]: give one of file, url, kustomize and chart',
      ],
    ],
  ],
  ClusterConfiguration: [
    [
      stream(CLUSTER, KUBEADM.replace('v1.36.3', 'stable-1')),
      [
        '11:20 kubernetesVersion: "stable-1" depends on the day and on the network; an exact version is needed, such as v1.36.3',
      ],
    ],
    [
      stream(CLUSTER, KUBEADM.replace('v1.36.3', 'v1.36')),
      ['11:20 kubernetesVersion: "v1.36" is no exact version; an exact version is needed, such as v1.36.3'],
    ],
    [
      stream(CLUSTER, KUBEADM.replace('v1.36.3', 'v1.99.0')),
      [
        '11:20 kubernetesVersion: this keelson knows Kubernetes v1.34, v1.35, v1.36: write a release of these, or use a keelson that knows v1.99',
      ],
    ],
    [
      stream(CLUSTER, KUBEADM.replace('v1.36.3', '1.3.6')),
      [
        '11:20 kubernetesVersion: this keelson knows Kubernetes v1.34, v1.35, v1.36: write a release of these, or use a keelson that knows v1.3',
      ],
    ],
    [
      stream(CLUSTER, KUBEADM.replace('kubernetesVersion: v1.36.3', 'kubernetesVersion:')),
      ['11:19 kubernetesVersion: required'],
    ],
    [
      networking(''),
      [
        '12:13 networking.podSubnet: required by flannel: add podSubnet: 10.244.0.0/16, or another range that is free',
      ],
    ],
    [
      networking('podSubnet: 10.244.0.0'),
      [
        '12:25 networking.podSubnet: "10.244.0.0" is no address range; write 10.244.0.0/16, or two with a comma between',
      ],
    ],
    [
      networking('podSubnet: 10.96.0.0/16'),
      ['12:25 networking.podSubnet: 10.96.0.0/16 overlaps the service range 10.96.0.0/12'],
    ],
    [
      networking('podSubnet: 10.0.0.0/16'),
      [
        '6:49 spec.hosts[0].address: 10.0.0.1 lies in the pod range 10.0.0.0/16',
        '7:41 spec.hosts[1].address: 10.0.0.2 lies in the pod range 10.0.0.0/16',
      ],
    ],
    [
      networking('podSubnet: 10.244.0.0/25'),
      ['12:25 networking.podSubnet: /25 has no room for the /24 of one node'],
    ],
    [
      networking('podSubnet: 11.0.0.0/7'),
      [
        '12:25 networking.podSubnet: 10.0.0.0/7 overlaps the service range 10.96.0.0/12',
        '12:25 networking.podSubnet: /7 is too large for a /24 a node: at most 16 bits lie between them',
        '6:49 spec.hosts[0].address: 10.0.0.1 lies in the pod range 10.0.0.0/7',
        '7:41 spec.hosts[1].address: 10.0.0.2 lies in the pod range 10.0.0.0/7',
      ],
    ],
    [
      networking('podSubnet: 10.244.0.0/16, serviceSubnet: 10.64.0.0/11'),
      [
        '12:55 networking.serviceSubnet: a service range this large is refused by the API server: at least /12',
      ],
    ],
    [
      networking('podSubnet: 10.244.0.0/16, serviceSubnet: 10.96.0.0/29'),
      ['12:55 networking.serviceSubnet: a service range needs at least 10 addresses: at most /28'],
    ],
    [
      networking('podSubnet: "fd00::/56,10.244.0.0/16", serviceSubnet: "10.96.0.0/12,fd01::/108"'),
      [
        '12:25 networking.podSubnet: is IPv6,IPv4 and serviceSubnet is IPv4,IPv6: both need the same families in the same order',
      ],
    ],
    [
      networking('podSubnet: "10.1.0.0/16,10.2.0.0/16"'),
      ['12:25 networking.podSubnet: either one range, or one of IPv4 and one of IPv6 for dual stack'],
    ],
    [
      kubeadm('controlPlaneEndpoint: lb:66000'),
      ['13:23 controlPlaneEndpoint: "lb:66000" is no endpoint; write host:port, or [IPv6]:port'],
    ],
    [
      kubeadm('imageRepository: https://x.y/z'),
      ['13:18 imageRepository: "https://x.y/z" is no image repository; no scheme, tag or trailing slash'],
    ],
    [kubeadm('certificatesDir: pki'), ['13:18 certificatesDir: "pki" is no absolute path']],
    [kubeadm('certificatesDir: /etc/../pki/'), ['13:18 certificatesDir: write it as "/pki"']],
    [
      kubeadm('etcd: {local: {dataDir: /etc}}'),
      ['13:25 etcd.local.dataDir: "/etc" is not etcd\'s alone; write a directory such as /var/lib/etcd'],
    ],
    [
      kubeadm('encryptionAlgorithm: RSA-248'),
      [
        '13:22 encryptionAlgorithm: "RSA-248" is not one of RSA-2048, RSA-3072, RSA-4096, ECDSA-P256, ECDSA-P384; did you mean `RSA-2048`?',
      ],
    ],
    [
      kubeadm('certificateValidityPeriod: 1d'),
      [
        '13:28 certificateValidityPeriod: "1d" has the unknown unit "d"; the units are h, m, s, ms, us and ns',
      ],
    ],
    [
      kubeadm('caCertificateValidityPeriod: -1h'),
      ['13:30 caCertificateValidityPeriod: a certificate must be valid for some time'],
    ],
    [
      kubeadm('featureGates: {NodeLocalCriSocket: true}'),
      [
        '13:16 featureGates.NodeLocalCriSocket: kubeadm v1.36.3 has no such feature gate; did you mean `NodeLocalCRISocket`?',
      ],
    ],
    [
      kubeadm('featureGates: {NodeLocalCRISocket: "true"}'),
      ['13:36 featureGates.NodeLocalCRISocket: expected true or false, found "true"'],
    ],
    [
      kubeadm('apiServer: {certSANs: ["a b"], extraArgs: [{name: --v, value: 2}], extraargs: []}'),
      [
        '13:24 apiServer.certSANs[0]: "a b" is neither an IP address nor a DNS name',
        '13:51 apiServer.extraArgs[0].name: flag names are written without leading dashes',
        '13:63 apiServer.extraArgs[0].value: expected a string, found 2: quote it',
        '13:68 apiServer.extraargs: unknown field; did you mean `extraArgs`?',
      ],
    ],
    [
      kubeadm('apiServer: {extraEnvs: [{nam: A}]}'),
      ['13:26 apiServer.extraEnvs[0].nam: unknown field; did you mean `name`?'],
    ],
    [
      kubeadm('apiServer: {extraArgs: {v: "2"}}'),
      ['13:24 apiServer.extraArgs: expected a list, found a map'],
    ],
    [
      kubeadm('etcd: {local: {}, external: {endpoints: ["https://e:2379"]}}'),
      ['13:7 etcd: local and external exclude each other'],
    ],
    [
      kubeadm('etcd: {external: {endpoints: ["http://e:2379"], caFile: /a, certFile: /b}}'),
      [
        '13:18 etcd.external: certFile and keyFile go together',
        '13:31 etcd.external.endpoints[0]: must be an https URL where certificates are given',
      ],
    ],
    [
      kubeadm('etcd: {external: {endpoints: [e]}}'),
      ['13:31 etcd.external.endpoints[0]: "e" is no URL; write https://host:2379'],
    ],
  ],
  'InitConfiguration and JoinConfiguration': [
    [init('timeouts: {discovery: 5}'), ['16:23 timeouts.discovery: expected a string, found 5: quote it']],
    [init('timeouts: {discovry: 5m}'), ['16:12 timeouts.discovry: unknown field; did you mean `discovery`?']],
    [
      init('bootstrapTokens: [{token: a.b}]'),
      [
        '16:27 bootstrapTokens[0].token: no bootstrap token: six characters, a dot and sixteen characters of a-z and 0-9',
      ],
    ],
    [
      init('bootstrapTokens: [{token: abcdef.0123456789abcdef, ttl: 1h, expires: "2030-01-01T00:00:00Z"}]'),
      ['16:19 bootstrapTokens[0]: ttl and expires exclude each other'],
    ],
    [
      init('certificateKey: abc'),
      ['16:17 certificateKey: no certificate key: 64 hexadecimal digits (32 bytes) are needed'],
    ],
    [
      init('localAPIEndpoint: {advertiseAddress: lb, bindPort: 70000}'),
      [
        '16:38 localAPIEndpoint.advertiseAddress: "lb" is no IP address',
        '16:52 localAPIEndpoint.bindPort: at most 65535 is allowed',
      ],
    ],
    [
      init('nodeRegistration: {criSocket: /run/x.sock, imagePullPolicy: always}'),
      [
        '16:31 nodeRegistration.criSocket: "/run/x.sock" is no CRI socket; write unix:///path',
        '16:61 nodeRegistration.imagePullPolicy: "always" is not one of Always, IfNotPresent, Never; did you mean `Always`?',
      ],
    ],
    [
      stream(
        hosts(
          CP,
          '{name: w1, role: worker, address: 10.0.0.2}',
          '{name: w2, role: worker, address: 10.0.0.3}',
        ),
        KUBEADM,
        'apiVersion: kubeadm.k8s.io/v1beta4\nkind: JoinConfiguration\nnodeRegistration: {name: x}\n',
      ),
      ['17:26 nodeRegistration.name: 2 hosts join and cannot share a name: set it at the host'],
    ],
    [
      join('discovery: {bootstraptoken: {}}'),
      ['16:13 discovery.bootstraptoken: unknown field; did you mean `bootstrapToken`?'],
    ],
  ],
  'component configurations': [
    [
      document('kubelet.config.k8s.io/v1beta1', 'KubeletConfiguration', 'cgroupdriver: systemd'),
      ['16:1 cgroupdriver: unknown field; did you mean `cgroupDriver`?'],
    ],
    [
      document('kubelet.config.k8s.io/v1beta1', 'KubeletConfiguration', 'failSwapOn: no'),
      [
        '16:13 failSwapOn: `no` is a boolean to YAML 1.1: write false, or quote it',
        '16:13 failSwapOn: expected true or false, found "no"',
      ],
    ],
    [
      document('kubeproxy.config.k8s.io/v1alpha1', 'KubeProxyConfiguration', 'mode: iptable'),
      ['16:7 mode: "iptable" is not one of iptables, ipvs, nftables, kernelspace; did you mean `iptables`?'],
    ],
  ],
};

for (const [where, rows] of Object.entries(TABLE)) {
  describe(`problems in ${where}`, () => {
    test.each(rows.map(([text, lines]) => ({ first: lines[0], text, lines })))(
      '$first',
      ({ text, lines }) => {
        const error = errorOf(text);
        expect(error.code).toBe('CONFIG');
        expect(error.message.split('\n')).toEqual(lines.map((line) => `c.yaml:${line}`).toSorted(byPlace));
      },
    );
  });
}

function byPlace(a: string, b: string): number {
  const place = (line: string) => line.split(/[: ]/).slice(1, 3).map(Number) as [number, number];
  const [[lineA, columnA], [lineB, columnB]] = [place(a), place(b)];
  return lineA - lineB || columnA - columnB;
}

test('a string of digits, a date or a time in quotes means itself', () => {
  const text = kubeadm(
    'apiServer: {extraArgs: [{name: a, value: "0640"}, {name: b, value: "yes"}, {name: c, value: a:1}]}',
  );
  expect(() => errorOf(text)).toThrow('the configuration was accepted');
});
