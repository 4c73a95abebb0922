import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { parseClusterConfig } from '../../../../src/config/load.js';
import { DRILL_NODE, drillClusterFile } from '../../../../src/workflows/drill/cluster-file.js';

const LAB = `# Written by keelson lab up
apiVersion: keelson.dev/v1alpha1
kind: Cluster
metadata: {name: drill-1}
spec:
  ssh: {user: root}
  hosts:
    - {name: cp1, role: control-plane, address: 10.88.0.11}
  network: {plugin: flannel}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.36.3
networking: {podSubnet: 10.244.0.0/16}
`;

const config = (extra: string) =>
  parseClusterConfig(
    `apiVersion: keelson.dev/v1alpha1
kind: Cluster
metadata: {name: prod}
spec:
  hosts:
    - {name: a1, role: control-plane, address: 192.0.2.11}
  endpoint: {provider: external, address: api.example.com}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.36.3
networking: {podSubnet: 10.200.0.0/16, serviceSubnet: 172.20.0.0/16, dnsDomain: prod.local}
${extra}`,
    { homeDir: '/root' },
  );

const parsed = (text: string, kind: string) =>
  [...parseAllDocuments(text)].find((document) => document.get('kind') === kind)?.toJS();

describe('the cluster file of a drill', () => {
  it('has the machine of the lab under a name that no node of the backup has', () => {
    const { spec } = parsed(drillClusterFile(LAB, config('').cluster), 'Cluster');
    expect(spec.hosts).toEqual([{ name: DRILL_NODE, role: 'control-plane', address: '10.88.0.11' }]);
  });

  it('has the addresses of services of the backup, and no endpoint of it', () => {
    const text = drillClusterFile(LAB, config('').cluster);
    expect(parsed(text, 'ClusterConfiguration')).toMatchObject({
      networking: { podSubnet: '10.244.0.0/16', serviceSubnet: '172.20.0.0/16', dnsDomain: 'prod.local' },
    });
    expect(text).not.toContain('api.example.com');
    expect(() => parseClusterConfig(text, { homeDir: '/root' })).not.toThrow();
  });

  it('reads encrypted Secrets, and leaves out arguments whose files a backup does not have', () => {
    const extra = `apiServer:
  extraArgs:
    - {name: encryption-provider-config, value: /etc/kubernetes/enc/keys.yaml}
    - {name: audit-policy-file, value: /etc/kubernetes/audit.yaml}
`;
    const { apiServer } = parsed(drillClusterFile(LAB, config(extra).cluster), 'ClusterConfiguration');
    expect(apiServer.extraArgs).toEqual([
      { name: 'encryption-provider-config', value: '/etc/kubernetes/enc/keys.yaml' },
    ]);
    expect(apiServer.extraVolumes).toEqual([
      {
        name: 'encryption',
        hostPath: '/etc/kubernetes/enc/keys.yaml',
        mountPath: '/etc/kubernetes/enc/keys.yaml',
        readOnly: true,
        pathType: 'File',
      },
    ]);
  });
});
