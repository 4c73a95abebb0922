import { describe, expect, it } from 'vitest';
import { kernelModules, sysctls } from '../../../../src/phases/preflight/kernel.js';
import { endpointName, nodeName } from '../../../../src/phases/preflight/names.js';
import { hostGateway, kubeProxyKernel } from '../../../../src/phases/preflight/pod-network.js';
import { parseListeners, ports } from '../../../../src/phases/preflight/ports.js';
import { cpus, memory, swap } from '../../../../src/phases/preflight/resources.js';
import { tools } from '../../../../src/phases/preflight/tools.js';
import { CP1, config, W1 } from '../../manifests/fixture.js';
import { judge, one, problems, type Scene, subject } from './support.js';

describe('tools', () => {
  it('says nothing against a host that has all', () => {
    expect(problems(judge(tools, { probes: { missing: '' } }))).toEqual([]);
  });

  it('names a missing one as kubeadm does, with the command of the distribution', () => {
    const missing = 'losetup\nconntrack\n';
    const outcomes = judge(tools, { probes: { missing, manager: 'apt-get\n' } });
    expect(problems(outcomes)).toEqual(['error FileExisting-losetup']);
    const remedy = (manager: string) =>
      one(judge(tools, { probes: { missing, manager } }), 'FileExisting-losetup', 'error').remedy;
    expect(remedy('apt-get\n')).toBe('apt-get install -y mount');
    expect(remedy('dnf\n')).toBe('dnf install -y util-linux');
    expect(remedy('zypper\n')).toBe('zypper install -y util-linux');
    expect(remedy('')).toBe('install losetup');
  });

  it('says nothing against a missing one that is to be installed', () => {
    const { spec } = config();
    const install = config({ spec: { ...spec, preparation: { ...spec.preparation, packages: 'install' } } });
    const scene = (manager: string) => ({ config: install, probes: { missing: 'tar\n', manager } });
    expect(problems(judge(tools, scene('dnf\n')))).toEqual([]);
    expect(problems(judge(tools, scene('')))).toEqual(['error FileExisting-tar']);
  });

  it('wants conntrack before Kubernetes 1.32 only', () => {
    const old = config({}, { kubernetesVersion: 'v1.31.0' });
    const outcomes = judge(tools, { config: old, probes: { missing: 'conntrack\n' } });
    expect(problems(outcomes)).toEqual(['error FileExisting-conntrack']);
  });

  it('takes nft for iptables', () => {
    expect(problems(judge(tools, { probes: { missing: 'iptables\n' } }))).toEqual([]);
    const neither = judge(tools, { probes: { missing: 'iptables\nnft\n' } });
    expect(problems(neither)).toEqual(['warning FileExisting-iptables']);
  });
});

describe('NumCPU and Mem', () => {
  it('are minima of control planes', () => {
    const small = { cpus: 1, memoryBytes: 1699 * 1024 ** 2 };
    expect(problems(judge(cpus))).toEqual([]);
    expect(problems(judge(memory, { facts: { memoryBytes: 1700 * 1024 ** 2 } }))).toEqual([]);
    expect(problems(judge(cpus, { facts: small }))).toEqual(['error NumCPU']);
    expect(problems(judge(memory, { facts: small }))).toEqual(['error Mem']);
    expect(
      problems([...judge(cpus, { host: W1, facts: small }), ...judge(memory, { host: W1, facts: small })]),
    ).toEqual([]);
  });
});

describe('Swap', () => {
  it('is no error where it is to be turned off', () => {
    const { spec } = config();
    const off = config({ spec: { ...spec, preparation: { ...spec.preparation, swap: 'disable' } } });
    expect(problems(judge(swap, { facts: { swapBytes: 1024 ** 3 }, config: off }))).toEqual([]);
  });

  it('is an error unless failSwapOn is false', () => {
    const facts = { swapBytes: 1024 ** 3 };
    expect(problems(judge(swap))).toEqual([]);
    expect(problems(judge(swap, { facts }))).toEqual(['error Swap']);
    const kubelet = {
      apiVersion: 'kubelet.config.k8s.io/v1beta1',
      kind: 'KubeletConfiguration',
      failSwapOn: false,
    };
    expect(problems(judge(swap, { facts, config: config({ kubelet }) }))).toEqual([]);
  });
});

describe('kernel modules', () => {
  const states = (bridge: string, others: string) =>
    `br_netfilter ${bridge}\noverlay ${others}\nnf_conntrack ${others}\nvxlan ${others}\n`;

  it('may be there or loadable', () => {
    expect(problems(judge(kernelModules, { probes: { states: states('there', 'loadable') } }))).toEqual([]);
  });

  it('are missed where they are absent', () => {
    expect(problems(judge(kernelModules, { probes: { states: states('absent', 'absent') } }))).toEqual([
      'error BridgeNetfilter',
      'error Overlayfs',
      'error Conntrack',
      'error Vxlan',
    ]);
  });

  it('are missed in a container only where their effect can be seen', () => {
    expect(problems(judge(kernelModules, { probes: { states: states('unknown', 'unknown') } }))).toEqual([
      'error BridgeNetfilter',
      'error Overlayfs',
    ]);
  });

  it('leave vxlan out where the network does not use it', () => {
    const none = config({ spec: { ...config().spec, network: { plugin: 'none' } } });
    const outcomes = judge(kernelModules, { config: none, probes: { states: states('there', 'absent') } });
    expect(problems(outcomes)).toEqual(['error Overlayfs', 'error Conntrack']);
  });
});

describe('kernels for a network', () => {
  const { spec, kubeProxy } = config();
  const lacking = (module: string) =>
    `br_netfilter there\noverlay there\nnf_conntrack there\nvxlan there\n${module} absent\n`;

  it('without wireguard are refused for that backend, and told what else there is', () => {
    const network = { ...spec.network, backend: 'wireguard' } as typeof spec.network;
    const scene = {
      config: config({ spec: { ...spec, network } }),
      probes: { states: lacking('wireguard') },
    };
    expect(one(judge(kernelModules, scene), 'Wireguard', 'error').remedy).toContain('vxlan or host-gw');
    expect(judge(kernelModules, { probes: scene.probes }).map(({ check }) => check)).not.toContain(
      'Wireguard',
    );
  });

  it('without IPIP are refused where Calico would only warn and send packets unencapsulated', () => {
    const calico = (mode: string, encapsulation = 'vxlan') =>
      config({ spec: { ...spec, network: { plugin: 'calico', mode, encapsulation } as never } });
    const said = (mode: string, encapsulation?: string) =>
      problems(
        judge(kernelModules, {
          config: calico(mode, encapsulation),
          probes: { states: lacking('ipip').replace('vxlan there', 'vxlan absent') },
        }),
      );
    expect(said('ipip')).toEqual(['error IPIP']);
    expect(said('mixed', 'ipip')).toEqual(['error IPIP']);
    expect(said('mixed')).toEqual(['error Vxlan']);
    expect(said('bgp')).toEqual([]);
  });

  it('without IPVS or its scheduler are refused for kube-proxy’s mode ipvs', () => {
    const ipvs = config({ kubeProxy: { ...kubeProxy, mode: 'ipvs', ipvs: { scheduler: 'sh' } } });
    const said = (module: string) =>
      judge(kernelModules, { config: ipvs, probes: { states: lacking(module) } });
    expect(one(said('ip_vs'), 'IPVS', 'error').message).toContain('ip_vs is neither loaded nor loadable');
    expect(one(said('ip_vs_sh'), 'IPVS', 'error').message).toContain('scheduler sh');
    const off = config({ kubeProxy: { ...kubeProxy, mode: 'ipvs' } }, { proxy: { disabled: true } });
    expect(judge(kernelModules, { config: off }).map(({ check }) => check)).not.toContain('IPVS');
  });

  it('have to be 5.13 or later for kube-proxy’s mode nftables', () => {
    const nftables = config({ kubeProxy: { ...kubeProxy, mode: 'nftables' } });
    const said = (kernel: string) =>
      problems(judge(kubeProxyKernel, { config: nftables, facts: { kernel } }));
    expect(said('5.12.19')).toEqual(['error NFTables']);
    expect(said('5.13.0-rc1')).toEqual([]);
    expect(said('6.1.0-25-amd64')).toEqual([]);
    expect(judge(kubeProxyKernel, { facts: { kernel: '4.18.0' } })).toEqual([]);
  });

  it('route by other hosts only in one network', () => {
    const network = { ...spec.network, backend: 'host-gw' } as typeof spec.network;
    const gateway = config({ spec: { ...spec, network } });
    const near = subject({ config: gateway, host: W1 });
    const far = subject({ config: gateway, host: { ...W1, name: 'w2', nodeIP: '192.0.2.9' } });
    expect(problems(judge(hostGateway, { config: gateway }, [near]))).toEqual([]);
    const outcome = one(judge(hostGateway, { config: gateway }, [near, far]), 'HostGateway', 'error');
    expect(outcome.message).toContain('w2 (192.0.2.9)');
    expect(outcome.remedy).toContain('directRouting');
    expect(judge(hostGateway, {}, [near, far])).toEqual([]);
  });
});

describe('sysctls', () => {
  const values = (forward: string, instances: string) =>
    [
      `net.ipv4.ip_forward ${forward}`,
      'net.bridge.bridge-nf-call-iptables 1 w',
      'net.bridge.bridge-nf-call-ip6tables 1 w',
      `fs.inotify.max_user_instances ${instances}`,
      'fs.inotify.max_user_watches 9999999 r',
    ].join('\n');

  it('are right, or can be set', () => {
    expect(problems(judge(sysctls, { probes: { values: values('1 r', '8192 r') } }))).toEqual([]);
    expect(problems(judge(sysctls, { probes: { values: values('0 w', '128 w') } }))).toEqual([]);
  });

  it('are findings where host preparation could not set them', () => {
    expect(problems(judge(sysctls, { probes: { values: values('0 r', '128 r') } }))).toEqual([
      'error FileContent--proc-sys-net-ipv4-ip_forward',
      'warning InotifyLimits',
    ]);
  });

  it('of bridges may be absent until br_netfilter is loaded', () => {
    const without = values('1 w', '8192 w').replaceAll(/^net.bridge.*\n/gm, '');
    expect(problems(judge(sysctls, { probes: { values: without } }))).toEqual([]);
  });
});

describe('ports', () => {
  const SS = 'LISTEN 0 4096 *:6443 *:* users:(("kube-apiserver",pid=812,fd=3))\n';
  const MANAGER = 'LISTEN 0 4096 127.0.0.1:10257 0.0.0.0:* users:(("kube-controller",pid=9,fd=3))\n';

  it('are read from ss and from the kernel', () => {
    expect([...parseListeners([SS.trim(), 'LISTEN 0 5 [::]:2380 [::]:*'])]).toEqual([
      [6443, 'kube-apiserver (pid 812)'],
      [2380, ''],
    ]);
    const kernel = '0: 00000000:192B 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 5 1';
    expect([...parseListeners([kernel])]).toEqual([[6443, '']]);
  });

  it('are those of the role', () => {
    const names = (scene: Scene) => judge(ports, scene).map(({ check }) => check);
    expect(names({ host: W1 })).toEqual(['Port-10250']);
    expect(names({})).toEqual([
      'Port-10250',
      'Port-6443',
      'Port-10259',
      'Port-10257',
      'Port-2379',
      'Port-2380',
    ]);
    const external = config(
      {},
      { etcd: { external: { endpoints: [], caFile: '', certFile: '', keyFile: '' } } },
    );
    expect(names({ config: external })).not.toContain('Port-2379');
    const host = { ...CP1, localAPIEndpoint: { advertiseAddress: CP1.nodeIP, bindPort: 7443 } };
    expect(names({ host })).toContain('Port-7443');
  });

  it('must be free before the host joins', () => {
    expect(problems(judge(ports, { probes: { listening: '' } }))).toEqual([]);
    const outcome = one(judge(ports, { probes: { listening: SS } }), 'Port-6443', 'error');
    expect(outcome.message).toBe('port 6443 is in use by kube-apiserver (pid 812)');
  });

  it('of a member may be held by its own component only', () => {
    expect(problems(judge(ports, { member: true, probes: { listening: SS + MANAGER } }))).toEqual([]);
    const foreign = SS.replace('kube-apiserver', 'python3');
    expect(problems(judge(ports, { member: true, probes: { listening: foreign } }))).toEqual([
      'error Port-6443',
    ]);
  });
});

describe('Hostname', () => {
  it('is content with a name that is an address of the host', () => {
    expect(problems(judge(nodeName, { probes: { addresses: `${CP1.nodeIP}\n` } }))).toEqual([]);
    expect(problems(judge(nodeName, { probes: { addresses: '127.0.1.1\n' } }))).toEqual([]);
  });

  it('warns of a name that does not resolve, or to something else', () => {
    expect(problems(judge(nodeName, { probes: { addresses: '' } }))).toEqual(['warning Hostname']);
    expect(problems(judge(nodeName, { probes: { addresses: '192.0.2.9\n' } }))).toEqual([
      'warning NodeNameDNS',
    ]);
  });

  it('does not ask members', () => {
    expect(judge(nodeName, { member: true })).toEqual([]);
    expect(judge(nodeName, { probes: { addresses: { code: 3, stdout: '' } } })).toEqual([]);
  });

  it('refuses what Kubernetes does not take as a name', () => {
    const host = { ...CP1, nodeRegistration: { ...CP1.nodeRegistration, name: 'Control_Plane' } };
    expect(problems(judge(nodeName, { host, member: true }))).toEqual(['error Hostname']);
  });
});

describe('EndpointDNS', () => {
  const named = config({}, { controlPlaneEndpoint: 'api.example.com:6443' });

  it('has to resolve on every host that is to join', () => {
    expect(problems(judge(endpointName, { config: named, probes: { addresses: '192.0.2.1\n' } }))).toEqual(
      [],
    );
    expect(problems(judge(endpointName, { config: named, probes: { addresses: '' } }))).toEqual([
      'error EndpointDNS',
    ]);
  });

  it('is nothing to ask where the endpoint is an address', () => {
    expect(judge(endpointName, {})).toEqual([]);
    expect(judge(endpointName, { config: named, member: true })).toEqual([]);
  });
});
