import { parseClusterConfig } from '../../../src/config/load.js';
import type { ClusterConfig } from '../../../src/config/types.js';
import { KeelsonError } from '../../../src/errors/keelson-error.js';

export const CLUSTER = `apiVersion: keelson.dev/v1alpha1
kind: Cluster
metadata: {name: demo}
spec:
  hosts:
    - {name: cp1, role: control-plane, address: 10.0.0.1}
    - {name: w1, role: worker, address: 10.0.0.2}
`;

/** To follow CLUSTER. */
export const ETCD_HOSTS = `    - {name: etcd1, role: etcd, address: 10.0.0.11}
    - {name: etcd2, role: etcd, address: 10.0.0.12}
    - {name: etcd3, role: etcd, address: 10.0.0.13}
`;

export const KUBEADM = `apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.36.3
networking: {podSubnet: 10.244.0.0/16}
`;

/** Documents as one stream. */
export const stream = (...documents: string[]): string => documents.join('---\n');

export const parse = (text: string, env: Record<string, string> = {}): ClusterConfig =>
  parseClusterConfig(text, { file: '/etc/keelson/c.yaml', homeDir: '/home/op', env });

/** The error that a text gives. */
export function errorOf(text: string): KeelsonError {
  try {
    parseClusterConfig(text, { file: 'c.yaml', homeDir: '/home/op' });
  } catch (error) {
    if (error instanceof KeelsonError) return error;
    throw error;
  }
  throw new Error('the configuration was accepted');
}
