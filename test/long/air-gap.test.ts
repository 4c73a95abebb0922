import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseDocument } from 'yaml';
import { imageByName, loadBundle } from '../../src/bundle/bundle.js';
import { bridgeName } from '../../src/lab/names.js';
import { HAS_REGISTRY, startDockerRegistry } from '../contract/docker-registry.js';
import { CLI, CONTROL_PLANE_KUBECTL, type E2eLab, labDown, labUp, succeed, WORK } from '../e2e/support.js';
import { serveDirectory } from './official-mirror.js';

const NAME = 'airgap';
const NODES = ['cp1', 'w1'];
/** Programs that nodes need, by their Debian packages; nft would do in place of iptables. */
const PROGRAMS = ['conntrack', 'socat', 'ethtool', 'ebtables', 'iptables'];

// The isolated computer: a network namespace with one cable, which ends in the lab's bridge.
const ISOLATED = 'keelson-airgap';
const [CABLE, PLUG] = ['kairgap0', 'kairgap1'];

/** An address that is nobody's, and what is asked there. */
const PROBED = '192.0.2.1 tcp 443';

let lab: E2eLab;
let directory: string;
let gateway: string;

const isolated = async (...argv: string[]): Promise<string> =>
  (await execa('ip', ['netns', 'exec', ISOLATED, ...argv], { cwd: WORK })).stdout;
const keelson = (...args: string[]) => isolated('node', CLI, ...args);
const onNode = (node: string, script: string) =>
  keelson('lab', 'ssh', node, '--name', NAME, '--', 'sh', '-c', script);
const found = (node: string) =>
  onNode(node, `for program in ${PROGRAMS.join(' ')}; do command -v $program || true; done`);

/** What the machines have asked anybody but each other and the answers to the isolated computer's own questions. */
const ASKED = `table inet asked {
  set tried { type ipv4_addr . inet_proto . inet_service; flags dynamic; size 4096; }
  chain incoming {
    type filter hook prerouting priority -150; policy accept;
    iifname ${CABLE} ct state new meta l4proto {tcp, udp} add @tried { ip daddr . meta l4proto . th dport }
  }
}
`;

/** Takes the bridge's addresses from this computer and gives them to the isolated one, which has no other network. */
async function isolate(): Promise<void> {
  const bridge = bridgeName(NAME);
  await writeFile(`/proc/sys/net/ipv6/conf/${bridge}/disable_ipv6`, '1');
  await execa('ip', ['address', 'del', `${gateway}/24`, 'dev', bridge]);
  await execa('ip', ['netns', 'add', ISOLATED]);
  await execa('ip', ['link', 'add', CABLE, 'netns', ISOLATED, 'type', 'veth', 'peer', 'name', PLUG]);
  await execa('ip', ['link', 'set', PLUG, 'master', bridge, 'up']);
  await isolated('ip', 'link', 'set', 'lo', 'up');
  await isolated('ip', 'address', 'add', `${gateway}/24`, 'dev', CABLE);
  await isolated('ip', 'link', 'set', CABLE, 'up');
  await isolated('sysctl', '-q', '-w', 'net.ipv4.ip_forward=0');
  const rules = join(directory, 'asked.nft');
  await writeFile(rules, ASKED);
  await isolated('nft', '-f', rules);
}

/** An add-on of two pods, with an image and a manifest that are nowhere but behind their addresses. */
const IMAGE = 'ghcr.io/example/tool:v1';
const PREPARATION = { packages: 'install' };
const MANIFEST = `apiVersion: apps/v1
kind: Deployment
metadata: {name: tool, namespace: default}
spec:
  replicas: 2
  selector: {matchLabels: {app: tool}}
  template:
    metadata: {labels: {app: tool}}
    spec: {containers: [{name: tool, image: '${IMAGE}'}]}
`;

/**
 * Makes a bundle directory with everything, while mirrors of the add-on's image and manifest answer; they are gone
 * when this ends. As `bundle build --out bundle.tar` does it, which would change the bundle in the cache.
 * @returns `spec.addons`
 */
async function whileConnected(built: string): Promise<unknown[]> {
  await succeed('bundle', 'build', '--out', built);
  const home = join(directory, 'registry');
  await mkdir(home);
  const registry = await startDockerRegistry(home);
  await mkdir(join(directory, 'site'));
  await writeFile(join(directory, 'site', 'tool.yaml'), MANIFEST);
  const site = await serveDirectory(join(directory, 'site'), { host: '127.0.0.1', tls: registry.tls });
  try {
    const bundle = await loadBundle(built);
    await registry.copy(built, imageByName(bundle, 'pause').reference, 'mirror/example/tool:v1');
    const sha256 = createHash('sha256').update(MANIFEST).digest('hex');
    const addons = [{ name: 'tool', manifests: [{ url: 'https://tool.example/tool.yaml', sha256 }] }];
    const { username } = registry.login;
    const login = { ca: registry.caFile, username, passwordFile: join(home, 'password') };
    const mirrors = {
      files: { 'https://tool.example': { url: site.url, ca: registry.caFile } },
      registries: { 'ghcr.io': { url: `https://${registry.address}/mirror`, ...login } },
    };
    const hosts = [
      { name: 'cp1', role: 'control-plane', address: '192.0.2.11' },
      { name: 'w1', role: 'worker', address: '192.0.2.21' },
    ];
    const cluster = {
      apiVersion: 'keelson.dev/v1alpha1',
      kind: 'Cluster',
      metadata: { name: 'wanted' },
      spec: { hosts, addons, preparation: PREPARATION },
    };
    const kubeadm = {
      apiVersion: 'kubeadm.k8s.io/v1beta4',
      kind: 'ClusterConfiguration',
      kubernetesVersion: bundle.lock.kubernetesVersion,
      networking: { podSubnet: '10.244.0.0/16' },
    };
    // JSON is YAML.
    const [wanted, mirrorsFile] = [join(directory, 'wanted.yaml'), join(directory, 'mirrors.yaml')];
    await writeFile(wanted, `${JSON.stringify(cluster)}\n---\n${JSON.stringify(kubeadm)}\n`);
    await writeFile(mirrorsFile, JSON.stringify(mirrors));
    const what = ['-c', wanted, '--mirrors', mirrorsFile, '--host-packages'];
    await succeed('bundle', 'build', ...what, '--out', built);
    return addons;
  } finally {
    site.stop();
    registry.stop();
  }
}

const remove = () => execa('ip', ['netns', 'delete', ISOLATED], { reject: false });

describe.skipIf(!HAS_REGISTRY)('one file, carried to where there is no other network', () => {
  beforeAll(async () => {
    await remove();
    directory = await mkdtemp(join(WORK, 'airgap-'));
    const built = join(directory, 'built');
    const file = join(directory, 'bundle.tar');
    const key = join(directory, 'ops.key');
    const addons = await whileConnected(built);
    await succeed('bundle', 'keygen', '--out', key);
    await succeed('bundle', 'export', built, '--out', file, '--sign-key', key);
    await rm(built, { recursive: true });
    lab = await labUp(NAME, '--workers', '1', '--no-cluster', '--bundle', file);
    const [first = '', ...others] = (await readFile(lab.clusterFile, 'utf8')).split(/^---\n/m);
    const cluster = parseDocument(first);
    cluster.setIn(['spec', 'bundle'], { path: file, publicKey: `${key}.pub` });
    cluster.setIn(['spec', 'preparation'], PREPARATION);
    cluster.setIn(['spec', 'addons'], addons);
    gateway = String(cluster.getIn(['spec', 'hosts', 0, 'address'])).replace(/\d+$/, '1');
    await writeFile(lab.clusterFile, [cluster.toString(), ...others].join('---\n'));
    await isolate();
    for (const node of NODES)
      await onNode(
        node,
        `apt-get purge -y -q nftables ${PROGRAMS.join(' ')} >/dev/null 2>&1; rm -rf /var/lib/apt/lists/*`,
      );
  });
  afterAll(async () => {
    await remove();
    await labDown(NAME);
    await rm(directory, { recursive: true, force: true });
  });

  it('finds neither programs nor a network', async () => {
    expect((await isolated('ip', '-4', 'route')).trim()).toBe(
      `${gateway.replace(/\d+$/, '0')}/24 dev ${CABLE} proto kernel scope link src ${gateway}`,
    );
    for (const node of NODES) {
      expect(await found(node)).toBe('');
      const reached = 'timeout 3 bash -c "</dev/tcp/192.0.2.1/443" 2>/dev/null && echo reached || true';
      expect(await onNode(node, reached)).toBe('');
    }
  });

  it('is proven to be complete, before anything is done', async () => {
    const said = await keelson('bundle', 'verify', join(directory, 'bundle.tar'), '-c', lab.clusterFile);
    expect(said).toContain('complete for the 2 hosts');
  });

  it('is all that a cluster takes, and its hosts ask nobody else', async () => {
    await keelson('apply', '-c', lab.clusterFile);
    for (const node of NODES) expect((await found(node)).split('\n')).toHaveLength(PROGRAMS.length);
    const ready = `${CONTROL_PLANE_KUBECTL} get deployment tool -o jsonpath={.status.readyReplicas}`;
    expect(await onNode('cp1', ready)).toBe('2');
    expect(await keelson('verify', '-c', lab.clusterFile)).toContain('all ');
    expect(await keelson('apply', '-c', lab.clusterFile)).toContain('Nothing to change');
    const tried = await isolated('nft', 'list', 'set', 'inet', 'asked', 'tried');
    const asked = [...tried.matchAll(/(\d+\.\d+\.\d+\.\d+) \. (\w+) \. (\w+)/g)].map(([, ...where]) =>
      where.join(' '),
    );
    // The first one shows that it would have been seen; names are asked for at the machines' nameserver, which is none.
    const dns = ['udp', 'tcp'].map((protocol) => `${gateway} ${protocol} 53`);
    expect(asked).toContain(PROBED);
    expect(asked.filter((where) => where !== PROBED && !dns.includes(where))).toEqual([]);
  });
});
