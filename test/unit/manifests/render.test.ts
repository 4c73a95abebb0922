import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { renderHost } from '../../../src/manifests/render.js';
import { CP1, config, host, W1 } from './fixture.js';

describe('renderHost', () => {
  it('gives a worker everything but static pods', () => {
    expect([...renderHost(config(), W1).keys()].sort()).toEqual([
      '/etc/containerd/config.toml',
      '/etc/crictl.yaml',
      '/etc/modules-load.d/k8s.conf',
      '/etc/sysctl.d/99-kubernetes-cri.conf',
      '/usr/lib/systemd/system/containerd.service',
      '/usr/lib/systemd/system/kubelet.service',
      '/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf',
      '/var/lib/kubelet/config.yaml',
      '/var/lib/kubelet/instance-config.yaml',
      '/var/lib/kubelet/kubeadm-flags.env',
    ]);
  });

  it('gives a host of role etcd a kubelet of no cluster and one static pod that begins with all members', () => {
    const etcd = ['10.88.0.5', '10.88.0.6'].map((address, i) => host(`etcd${i + 1}`, 'etcd', address));
    const [first = CP1] = etcd;
    const apart = config({ hosts: [CP1, W1, ...etcd] }, { etcd: { members: { dataDir: '/srv/etcd' } } });
    const files = renderHost(apart, first);
    const names = [...files.keys()].filter(
      (path) => path.includes('kubelet') || path.includes('kubernetes/'),
    );
    expect(names).toEqual([
      '/usr/lib/systemd/system/kubelet.service',
      '/usr/lib/systemd/system/kubelet.service.d/20-etcd-service-manager.conf',
      '/var/lib/kubelet/config.yaml',
      '/etc/kubernetes/manifests/etcd.yaml',
    ]);
    expect(parse(files.get('/var/lib/kubelet/config.yaml')?.content ?? '')).toMatchObject({
      address: '127.0.0.1',
      authentication: { anonymous: { enabled: false }, webhook: { enabled: false }, x509: {} },
      rotateCertificates: false,
    });
    const manifest = files.get('/etc/kubernetes/manifests/etcd.yaml')?.content ?? '';
    expect(manifest).toContain('--initial-cluster=etcd1=https://10.88.0.5:2380,etcd2=https://10.88.0.6:2380');
    expect(manifest).toContain('--data-dir=/srv/etcd');
    expect(manifest).not.toContain('initial-cluster-state');
  });

  it("gives manifests kubeadm's mode, in a directory that only root may enter", () => {
    const files = renderHost(config(), CP1);
    for (const name of ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler']) {
      expect(files.get(`/etc/kubernetes/manifests/${name}.yaml`)).toMatchObject({
        mode: 0o600,
        dirMode: 0o700,
      });
    }
    expect(files.get('/var/lib/kubelet/config.yaml')).toMatchObject({ mode: 0o644 });
  });

  it('patches manifests', () => {
    const patches = [{ name: 'etcd+merge.yaml', content: 'metadata: {labels: {a: b}}' }];
    const manifest = renderHost(config(), CP1, { patches }).get('/etc/kubernetes/manifests/etcd.yaml');
    expect(parse(manifest?.content ?? '')).toMatchObject({
      metadata: { labels: { a: 'b', tier: 'control-plane' } },
    });
  });

  it("pins containerd's sandbox image to the pause of the Kubernetes version", () => {
    const base = config();
    const runtime = { systemdCgroup: false, restrictOomScoreAdj: true };
    const text = (version: string) =>
      renderHost(config({ spec: { ...base.spec, runtime } }, { kubernetesVersion: version }), W1).get(
        '/etc/containerd/config.toml',
      )?.content;
    expect(text('v1.35.4')).toContain('sandbox = "registry.k8s.io/pause:3.10.1"');
    expect(text('v1.36.3')).toContain('sandbox = "registry.k8s.io/pause:3.10.2"');
    expect(text('v1.36.3')).toContain('SystemdCgroup = false');
    expect(text('v1.36.3')).toContain('restrict_oom_score_adj = true');
  });

  it('forwards IPv6 only where the cluster has it', () => {
    const sysctl = (networking: { podSubnet: string }) => {
      const cluster = { networking: { ...config().cluster.networking, ...networking } };
      return renderHost(config({}, cluster), W1).get('/etc/sysctl.d/99-kubernetes-cri.conf')?.content;
    };
    expect(sysctl({ podSubnet: '10.244.0.0/16' })).not.toContain('ipv6.conf');
    expect(sysctl({ podSubnet: '10.244.0.0/16,fd00::/56' })).toContain('net.ipv6.conf.all.forwarding = 1');
  });

  it('is the same for the same input', () => {
    expect(renderHost(config(), CP1)).toEqual(renderHost(config(), CP1));
  });
});
