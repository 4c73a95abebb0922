import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseClusterConfig } from '../../src/config/load.js';
import { flannelObjects } from '../../src/manifests/flannel.js';
import { stringifyYaml } from '../../src/manifests/yaml.js';
import {
  CONTROL_PLANE_KUBECTL,
  drift,
  type E2eLab,
  keelson,
  labDown,
  labUp,
  onNode,
  succeed,
} from '../e2e/support.js';

/** Calico's manifest is none of this project's: a directory with `calico-v3.32.1.yaml`. */
const CALICO = join(process.env.KEELSON_TEST_CALICO ?? '/nonexistent', 'calico-v3.32.1.yaml');

const get = (lab: E2eLab, what: string) => onNode(lab, 'cp1', `${CONTROL_PLANE_KUBECTL} get ${what}`);

const setNetwork = async ({ clusterFile }: E2eLab, network: string) => {
  const text = await readFile(clusterFile, 'utf8');
  await writeFile(clusterFile, text.replace(/^ {2}network:(.*\n)( {4}.*\n)*/m, `  network: ${network}\n`));
};

describe('a network from manifests', () => {
  let lab: E2eLab;
  beforeAll(async () => {
    lab = await labUp('e2eman', '--workers', '1', '--network', 'none');
  });
  afterAll(() => labDown('e2eman'));

  it('is applied, and its nodes are awaited', async () => {
    const file = join(lab.directory, 'network.yaml');
    const text = await readFile(lab.clusterFile, 'utf8');
    const config = parseClusterConfig(text.replace('plugin: none', 'plugin: flannel'), { homeDir: '/root' });
    const images = {
      flannel: 'ghcr.io/flannel-io/flannel:v0.28.10',
      cniPlugin: 'ghcr.io/flannel-io/flannel-cni-plugin:v0.9.1',
    };
    const extra = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'extra', namespace: 'kube-flannel' },
    };
    const objects = flannelObjects(config, images).map((object) => stringifyYaml(object));
    await writeFile(file, [...objects, stringifyYaml(extra)].join('---\n'));
    await setNetwork(lab, '{plugin: manifest, manifests: [{file: network.yaml}]}');
    await succeed('apply', '-c', lab.clusterFile);
    expect(
      await get(lab, 'nodes -o jsonpath=\'{.items[*].status.conditions[?(@.type=="Ready")].status}\''),
    ).toBe('True True');
    expect(await drift(lab)).toEqual([]);
    await succeed('verify', '-c', lab.clusterFile);
  });

  it('loses what leaves its manifests, and says what would change', async () => {
    const file = join(lab.directory, 'network.yaml');
    const text = await readFile(file, 'utf8');
    await writeFile(
      file,
      text.replace(/---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n {2}name: extra[\s\S]*$/, ''),
    );
    const plan = await succeed('plan', '-c', lab.clusterFile);
    expect(plan).toContain('- ConfigMap kube-flannel/extra');
    await succeed('apply', '-c', lab.clusterFile);
    expect(await get(lab, '-n kube-flannel configmaps -o name')).not.toContain('extra');
    expect(await drift(lab)).toEqual([]);
  });
});

/** Its images are not in the bundle, so no pod of it runs; what the API server takes is what is seen here. */
describe.skipIf(!existsSync(CALICO))('Calico on a real API server (KEELSON_TEST_CALICO)', () => {
  let lab: E2eLab;
  beforeAll(async () => {
    lab = await labUp('e2ecal', '--workers', '1', '--network', 'none');
  });
  afterAll(() => labDown('e2ecal'));

  const apply = () => succeed('phase', 'run', 'network/manifest', '-c', lab.clusterFile);

  it('has every object of its manifest and of its settings accepted, and then nothing to change', async () => {
    await setNetwork(lab, `{plugin: calico, calico: {manifest: {file: ${CALICO}}, mode: vxlan}}`);
    await apply();
    expect((await get(lab, 'crds -o name')).match(/projectcalico\.org/g)?.length).toBeGreaterThanOrEqual(20);
    expect(
      await get(
        lab,
        "ippools.crd.projectcalico.org default-ipv4-ippool -o jsonpath='{.spec.vxlanMode} {.spec.ipipMode}'",
      ),
    ).toBe('Always Never');
    const left = (await drift(lab)).filter((line) => line.includes('network/'));
    expect(left).toEqual([]);
  });

  it.each([
    ['bgp', 'Never Never'],
    ['ipip', 'Never Always'],
    ['mixed, encapsulation: ipip', 'Never CrossSubnet'],
    ['mixed', 'CrossSubnet Never'],
  ])('has all of it accepted with mode %s too', async (mode, pool) => {
    await setNetwork(lab, `{plugin: calico, calico: {manifest: {file: ${CALICO}}, mode: ${mode}}}`);
    await apply();
    expect(
      await get(
        lab,
        "ippools.crd.projectcalico.org default-ipv4-ippool -o jsonpath='{.spec.vxlanMode} {.spec.ipipMode}'",
      ),
    ).toBe(pool);
    const { tasks } = JSON.parse(await succeed('plan', '-c', lab.clusterFile, '-o', 'json')) as {
      tasks: { phase: string; changes: unknown[] }[];
    };
    expect(tasks.find(({ phase }) => phase === 'network/manifest')?.changes).toEqual([]);
  });

  it('has BGP with a filter, a peer with a password and an AS number, as the plan said', async () => {
    await setNetwork(
      lab,
      `{plugin: calico, calico: {manifest: {file: ${CALICO}}, mode: mixed, bgp: {asNumber: 64513, filters: [{name: own, exportV4: [{action: Reject, cidr: 10.9.0.0/16, matchOperator: In, source: RemotePeers}]}], peers: [{name: rack1, address: 10.88.0.1, asNumber: 65000, filters: [own], passwordSecret: {name: bgp, key: rack1}}], advertise: {clusterIPs: [10.96.0.0/12]}}, felix: {logSeverityScreen: Warning}}}`,
    );
    const plan = await succeed('plan', '-c', lab.clusterFile);
    expect(plan).toContain('+ BGPPeer rack1');
    expect(plan).toContain('+ BGPFilter own');
    await apply();
    expect(
      await get(lab, "ippools.crd.projectcalico.org default-ipv4-ippool -o jsonpath='{.spec.vxlanMode}'"),
    ).toBe('CrossSubnet');
    expect(
      await get(lab, "bgpconfigurations.crd.projectcalico.org default -o jsonpath='{.spec.asNumber}'"),
    ).toBe('64513');
    const reader = 'system:serviceaccount:kube-system:calico-node';
    const may = (secret: string) =>
      onNode(
        lab,
        'cp1',
        `${CONTROL_PLANE_KUBECTL} -n kube-system auth can-i get secret/${secret} --as ${reader}`,
        [0, 1],
      );
    expect((await may('bgp')).trim()).toBe('yes');
    expect((await may('other')).trim()).toBe('no');
    await setNetwork(lab, `{plugin: calico, calico: {manifest: {file: ${CALICO}}, mode: vxlan}}`);
    await apply();
    expect(await get(lab, 'bgppeers.crd.projectcalico.org -o name')).toBe('');
  });

  it('is refused where the kernel has no IPIP', async () => {
    await setNetwork(lab, `{plugin: calico, calico: {manifest: {file: ${CALICO}}, mode: ipip}}`);
    const result = await keelson(['apply', '-c', lab.clusterFile]);
    expect(result.exitCode).toBe(4);
    expect(result.stderr).toContain('kernel module ipip is neither loaded nor loadable');
  });
});
