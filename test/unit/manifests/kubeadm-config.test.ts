import { describe, expect, it } from 'vitest';
import { type ClusterObject, clusterObjects } from '../../../src/manifests/kubeadm-config.js';
import { config } from './fixture.js';

const names = (objects: readonly ClusterObject[]) =>
  objects.map(({ kind, metadata }) => `${kind} ${metadata?.name}`);
const find = (objects: readonly ClusterObject[], name: string) =>
  objects.find(({ kind, metadata }) => `${kind} ${metadata?.name}` === name);

describe('clusterObjects', () => {
  it("binds kubeadm's admins to cluster-admin", () => {
    expect(find(clusterObjects(config()), 'ClusterRoleBinding kubeadm:cluster-admins')).toMatchObject({
      roleRef: { name: 'cluster-admin' },
      subjects: [{ kind: 'Group', name: 'kubeadm:cluster-admins' }],
    });
  });

  it('binds the API server to the kubelet API from 1.36 on', () => {
    const name = 'ClusterRoleBinding kubeadm:apiserver-kubelet-client';
    expect(names(clusterObjects(config()))).toContain(name);
    expect(names(clusterObjects(config({}, { kubernetesVersion: 'v1.35.4' })))).not.toContain(name);
  });

  it('has no secret and no two objects of one name', () => {
    const all = clusterObjects(config());
    expect(all.map(({ kind }) => kind)).not.toContain('Secret');
    const places = all.map(({ kind, metadata }) => `${kind} ${metadata?.namespace} ${metadata?.name}`);
    expect(new Set(places).size).toBe(places.length);
  });

  it('leaves out add-ons that are disabled', () => {
    const without = names(clusterObjects(config({}, { dns: { disabled: true }, proxy: { disabled: true } })));
    expect(without).not.toContain('Deployment coredns');
    expect(without).not.toContain('DaemonSet kube-proxy');
  });

  it('keeps the replicas of a CoreDNS that runs', () => {
    expect(find(clusterObjects(config(), { corednsReplicas: 5 }), 'Deployment coredns')).toMatchObject({
      spec: { replicas: 5 },
    });
  });

  it('signs generated configurations and not the user’s', () => {
    const signature = 'kubeadm.kubernetes.io/component-config.hash';
    const kubelet = { ...config().kubelet, maxPods: 10 };
    const annotations = (name: string, objects: ClusterObject[]) =>
      find(objects, `ConfigMap ${name}`)?.metadata?.annotations;
    expect(annotations('kubelet-config', clusterObjects(config()))).toHaveProperty([signature]);
    expect(annotations('kubelet-config', clusterObjects(config({ kubelet })))).toBeUndefined();
    expect(annotations('kube-proxy', clusterObjects(config({ kubelet })))).toHaveProperty([signature]);
  });
});
