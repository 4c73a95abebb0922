import { existsSync, readFileSync } from 'node:fs';
import { createPatch } from 'diff';
import { describe, expect, it } from 'vitest';
import type { CalicoNetwork } from '../../../src/config/types.js';
import { calicoObjects, calicoVersion } from '../../../src/manifests/calico.js';
import { type ManifestObject, parseManifests } from '../../../src/manifests/parse-manifests.js';
import { stringifyYaml } from '../../../src/manifests/yaml.js';

const CALICO: CalicoNetwork = {
  plugin: 'calico',
  manifest: { file: 'calico.yaml' },
  mode: 'vxlan',
  encapsulation: 'vxlan',
  autodetection: 'kubernetes-internal-ip',
  natOutgoing: true,
  bgp: {
    nodeToNodeMesh: true,
    peers: [],
    filters: [],
    advertise: { clusterIPs: [], externalIPs: [], loadBalancerIPs: [] },
  },
  felix: {},
};
const POD_SUBNET = ['10.244.0.0/16'];

/** The parts of a published manifest that settings go to, named as v3.29 to v3.32 name them. */
const manifest = (image: string): ManifestObject[] =>
  parseManifests(
    `kind: ConfigMap
apiVersion: v1
metadata: {name: calico-config, namespace: kube-system}
data:
  calico_backend: bird
  veth_mtu: "0"
  cni_network_config: '{"plugins": [{"mtu": __CNI_MTU__, "ipam": {"type": "calico-ipam"}}]}'
---
kind: DaemonSet
apiVersion: apps/v1
metadata: {name: calico-node, namespace: kube-system}
spec:
  template:
    spec:
      containers:
        - name: calico-node
          image: ${image}
          env:
            - {name: CLUSTER_TYPE, value: "k8s,bgp"}
            - {name: IP, value: autodetect}
            - {name: FELIX_IPV6SUPPORT, value: "false"}
          livenessProbe: {exec: {command: [/bin/calico-node, -felix-live, -bird-live]}}
          readinessProbe: {exec: {command: [/bin/calico-node, -felix-ready, -bird-ready]}}
`,
    'calico.yaml',
  );

const specOf = (objects: readonly ManifestObject[], kind: string, name: string) =>
  objects.find((object) => object.kind === kind && object.metadata.name === name)?.spec;

const nodeOf = (objects: readonly ManifestObject[]) => {
  const spec = specOf(objects, 'DaemonSet', 'calico-node') as {
    template: { spec: { containers: Record<string, unknown>[] } };
  };
  const [container = {}] = spec.template.spec.containers;
  const env = container.env as { name: string; value: string }[];
  return { text: JSON.stringify(container), env: new Map(env.map(({ name, value }) => [name, value])) };
};

describe('Calico', () => {
  it('leaves BIRD and its probes out with mode vxlan only, since it would never be Ready', () => {
    const published = manifest('quay.io/calico/node:v3.32.1');
    const vxlan = calicoObjects(published, CALICO, POD_SUBNET);
    expect(vxlan[0]?.data).toMatchObject({ calico_backend: 'vxlan' });
    expect(nodeOf(vxlan).text).not.toContain('bird');
    expect(nodeOf(vxlan).text).toContain('-felix-ready');
    expect(specOf(vxlan, 'BGPConfiguration', 'default')).toBeUndefined();
    const bgp = calicoObjects(published, { ...CALICO, mode: 'bgp' }, POD_SUBNET);
    expect(bgp[0]?.data).toMatchObject({ calico_backend: 'bird' });
    expect(nodeOf(bgp).text).toContain('-bird-ready');
    expect(JSON.stringify(published)).toContain('"calico_backend":"bird"');
  });

  it.each([
    ['bgp', 'vxlan', 'Never', 'Never'],
    ['ipip', 'vxlan', 'Always', 'Never'],
    ['vxlan', 'vxlan', 'Never', 'Always'],
    ['mixed', 'vxlan', 'Never', 'CrossSubnet'],
    ['mixed', 'ipip', 'CrossSubnet', 'Never'],
  ] as const)(
    'has a pool for mode %s (%s): IPIP %s, VXLAN %s',
    (mode, encapsulation, ipipMode, vxlanMode) => {
      const objects = calicoObjects(
        manifest('x'),
        { ...CALICO, mode, encapsulation, blockSize: 24 },
        POD_SUBNET,
      );
      expect(specOf(objects, 'IPPool', 'default-ipv4-ippool')).toMatchObject({
        ...{ cidr: '10.244.0.0/16', blockSize: 24, ipipMode, vxlanMode, natOutgoing: true },
      });
      expect(nodeOf(objects).env.get('NO_DEFAULT_POOLS')).toBe('true');
      expect(nodeOf(objects).env.get('IP_AUTODETECTION_METHOD')).toBe('kubernetes-internal-ip');
    },
  );

  it('gives pods addresses of both families where the cluster has both', () => {
    const objects = calicoObjects(manifest('x'), CALICO, [...POD_SUBNET, 'fd00:244::/56']);
    expect(JSON.stringify(objects[0]?.data)).toContain('assign_ipv6');
    expect(nodeOf(objects).env.get('FELIX_IPV6SUPPORT')).toBe('true');
    expect(nodeOf(objects).env.get('IP6')).toBe('autodetect');
    expect(specOf(objects, 'IPPool', 'default-ipv6-ippool')).toMatchObject({
      ...{ blockSize: 122, ipipMode: 'Never', vxlanMode: 'Always' },
    });
  });

  it('speaks BGP as told: AS number, mesh, peers with passwords from Secrets, services', () => {
    const objects = calicoObjects(
      manifest('x'),
      {
        ...CALICO,
        mode: 'bgp',
        mtu: 1400,
        felix: { logSeverityScreen: 'Warning' },
        bgp: {
          asNumber: 64_513,
          nodeToNodeMesh: false,
          peers: [
            {
              name: 'rack1',
              address: '10.0.0.1',
              asNumber: 65_000,
              nodeSelector: "rack == '1'",
              passwordSecret: { name: 'bgp', key: 'rack1' },
              filters: ['own-only'],
            },
          ],
          filters: [
            { name: 'own-only', exportV4: [{ action: 'Reject', cidr: '10.9.0.0/16', matchOperator: 'In' }] },
          ],
          advertise: { clusterIPs: ['10.96.0.0/12'], externalIPs: [], loadBalancerIPs: [] },
        },
      },
      POD_SUBNET,
    );
    expect(specOf(objects, 'BGPConfiguration', 'default')).toEqual({
      asNumber: 64_513,
      nodeToNodeMeshEnabled: false,
      serviceClusterIPs: [{ cidr: '10.96.0.0/12' }],
    });
    expect(specOf(objects, 'BGPPeer', 'rack1')).toEqual({
      peerIP: '10.0.0.1',
      asNumber: 65_000,
      nodeSelector: "rack == '1'",
      password: { secretKeyRef: { name: 'bgp', key: 'rack1' } },
      filters: ['own-only'],
    });
    expect(specOf(objects, 'BGPFilter', 'own-only')).toEqual({
      exportV4: [{ action: 'Reject', cidr: '10.9.0.0/16', matchOperator: 'In' }],
    });
    const role = objects.find(({ kind, metadata }) => kind === 'Role' && metadata.name.startsWith('keelson'));
    expect(role?.rules).toEqual([
      { apiGroups: [''], resources: ['secrets'], resourceNames: ['bgp'], verbs: ['get', 'list', 'watch'] },
    ]);
    expect(specOf(objects, 'FelixConfiguration', 'default')).toEqual({ logSeverityScreen: 'Warning' });
    expect(objects[0]?.data).toMatchObject({ veth_mtu: '1400' });
  });

  it('refuses a manifest that is not Calico’s, or that it does not know', () => {
    const refusal = (objects: ManifestObject[]) => () => calicoObjects(objects, CALICO, POD_SUBNET);
    expect(refusal(manifest('x').slice(0, 1))).toThrow('has no DaemonSet kube-system/calico-node');
    const [first, second] = manifest('x');
    if (first === undefined || second === undefined) throw new Error('no manifest');
    expect(refusal([{ ...first, data: {} }, second])).toThrow('this version of Calico is not known');
  });

  it('tells the version by the images, of either registry', () => {
    expect(calicoVersion(manifest('docker.io/calico/node:v3.29.1'))).toBe('v3.29.1');
    expect(calicoVersion(manifest('quay.io/calico/node:v3.32.1'))).toBe('v3.32.1');
    expect(calicoVersion(manifest('x'))).toBeNull();
  });
});

/** Calico's own manifest is not part of this project: KEELSON_TEST_CALICO names a directory with `calico-vX.Y.Z.yaml`. */
const DIRECTORY = process.env.KEELSON_TEST_CALICO ?? '';
const PUBLISHED = `${DIRECTORY}/calico-v3.32.1.yaml`;

describe.skipIf(!existsSync(PUBLISHED))('Calico v3.32.1 as published (KEELSON_TEST_CALICO)', () => {
  it.each(['bgp', 'ipip', 'vxlan', 'mixed'] as const)('with mode %s differs in this', async (mode) => {
    const published = parseManifests(readFileSync(PUBLISHED, 'utf8'), PUBLISHED);
    const changed = calicoObjects(published, { ...CALICO, mode }, POD_SUBNET);
    const differences = changed.map((object, index) => {
      const before = published[index];
      const name = `${object.kind} ${object.metadata.name}`;
      if (before === undefined) return `+ ${name}\n${stringifyYaml(object)}`;
      const patch = createPatch(name, stringifyYaml(before), stringifyYaml(object), '', '', { context: 0 });
      const lines = patch.split('\n').filter((line) => /^[+-](?![+-])/.test(line));
      return lines.length === 0 ? '' : `~ ${name}\n${lines.join('\n')}\n`;
    });
    await expect(differences.join('')).toMatchFileSnapshot(`golden/calico-v3.32.1-${mode}.txt`);
  });
});
