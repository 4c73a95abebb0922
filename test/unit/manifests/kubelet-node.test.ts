import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import {
  kubeletConfigFile,
  kubeletFlagsFile,
  kubeletInstanceConfig,
  taintText,
} from '../../../src/manifests/kubelet-node.js';
import { CP1, config, host, W1 } from './fixture.js';

const gpu = { key: 'dedicated', value: 'gpu', effect: 'NoSchedule' } as const;
const bare = { key: 'spot', effect: 'PreferNoSchedule' } as const;

describe('kubelet flags', () => {
  it('are none where nothing is special', () => {
    expect(kubeletFlagsFile(config(), CP1)).toBe('KUBELET_KUBEADM_ARGS=""\n');
  });

  it('register a worker with its taints, and leave those of a control plane to the API', () => {
    const tainted = (from: typeof W1) => ({
      ...from,
      nodeRegistration: { ...from.nodeRegistration, taints: [gpu, bare] },
    });
    expect(kubeletFlagsFile(config(), tainted(W1))).toBe(
      'KUBELET_KUBEADM_ARGS="--register-with-taints=dedicated=gpu:NoSchedule,spot:PreferNoSchedule"\n',
    );
    expect(kubeletFlagsFile(config(), tainted(CP1))).toBe('KUBELET_KUBEADM_ARGS=""\n');
  });

  it("say the node's name where the host has another", () => {
    expect(kubeletFlagsFile(config(), W1, { hostname: 'W1\n' })).toBe('KUBELET_KUBEADM_ARGS=""\n');
    expect(kubeletFlagsFile(config(), W1, { hostname: 'debian' })).toBe(
      'KUBELET_KUBEADM_ARGS="--hostname-override=w1"\n',
    );
  });

  it('say the address in the cluster where the default route has another one, or there is none', () => {
    const flags = (defaultAddress: string | null) => kubeletFlagsFile(config(), W1, { defaultAddress });
    expect(flags(W1.nodeIP)).toBe('KUBELET_KUBEADM_ARGS=""\n');
    expect(flags('10.0.2.15')).toBe(`KUBELET_KUBEADM_ARGS="--node-ip=${W1.nodeIP}"\n`);
    expect(flags(null)).toBe(`KUBELET_KUBEADM_ARGS="--node-ip=${W1.nodeIP}"\n`);
  });

  it("come before the user's, which win", () => {
    const { nodeRegistration } = W1;
    const kubeletExtraArgs = [
      { name: 'v', value: '2' },
      { name: 'register-with-taints', value: '' },
    ];
    const node = host('w1', 'worker', '10.88.0.21', {
      nodeRegistration: { ...nodeRegistration, taints: [gpu], kubeletExtraArgs },
    });
    expect(kubeletFlagsFile(config(), node)).toBe('KUBELET_KUBEADM_ARGS="--v=2 --register-with-taints="\n');
  });
});

describe('kubelet configuration', () => {
  it("has the host's CRI socket, patches notwithstanding", () => {
    const patches = [
      { name: 'kubeletconfiguration.yaml', content: 'containerRuntimeEndpoint: x\nmaxPods: 7' },
    ];
    expect(parse(kubeletConfigFile(config(), W1, { patches }))).toMatchObject({
      containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
      maxPods: 7,
    });
    expect(kubeletInstanceConfig(config(), W1)).toBe(
      'containerRuntimeEndpoint: "unix:///run/containerd/containerd.sock"\n',
    );
  });

  it('points past the stub resolver of systemd-resolved unless told otherwise', () => {
    const resolver = (kubelet: object) =>
      parse(
        kubeletConfigFile(config({ kubelet: { ...config().kubelet, ...kubelet } }), W1, {
          systemdResolved: true,
        }),
      ).resolvConf;
    expect(resolver({})).toBe('/run/systemd/resolve/resolv.conf');
    expect(resolver({ resolvConf: '/etc/other.conf' })).toBe('/etc/other.conf');
  });

  it('names the field of an invalid duration', () => {
    const broken = config({
      kubelet: { ...config().kubelet, authentication: { webhook: { cacheTTL: 'soon' } } },
    });
    expect(() => kubeletConfigFile(broken, W1)).toThrow(
      /authentication\.webhook\.cacheTTL: "soon" is no duration/,
    );
  });
});

describe('taintText', () => {
  it('leaves out an empty value', () => {
    expect(taintText(bare)).toBe('spot:PreferNoSchedule');
  });
});
