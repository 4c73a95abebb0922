import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseDocument } from 'yaml';
import { type Bundle, loadBundle } from '../../src/bundle/bundle.js';
import { type DockerRegistry, HAS_REGISTRY, startDockerRegistry } from '../contract/docker-registry.js';
import { CLI, type E2eLab, labDown, labUp, onNode, succeed, WORK } from '../e2e/support.js';
import { fillRegistry, serveDirectory, writeReleaseSites } from './official-mirror.js';
import { figure } from './support.js';

const NAME = 'sources';
const VERSION = 'v1.36.3';
const BEFORE = 'v1.36.1';
const NODES = ['cp1', 'w1'];

let lab: E2eLab;
let directory: string;
let own: string;
let modules: Bundle;
let registry: DockerRegistry;
let sites: { url: string; stop: () => void };
let mirrors: string;

/** With a cache that has nothing of it yet. */
async function freshly(...args: string[]): Promise<string> {
  const env = { XDG_CACHE_HOME: join(directory, 'cache') };
  const { stdout } = await execa('node', [CLI, ...args], { cwd: WORK, env });
  return stdout;
}

/** Installs a cluster from nothing with these fields in `spec`, sees that it works, and takes it away again. */
async function cluster(
  name: string,
  spec: Record<string, unknown>,
  look: () => Promise<void> = async () => undefined,
) {
  const [first = '', ...others] = own.split(/^---\n/m);
  const document = parseDocument(first);
  for (const [field, value] of Object.entries(spec)) document.setIn(['spec', field], value);
  const clusterFile = join(lab.directory, `${name}.yaml`);
  await writeFile(clusterFile, [document.toString(), ...others].join('---\n'));
  const started = performance.now();
  await freshly('apply', '-c', clusterFile);
  figure(`a cluster of 1 + 1 ${name}`, performance.now() - started);
  expect(await freshly('verify', '-c', clusterFile)).toContain('all ');
  await look();
  await freshly('reset', '-c', clusterFile, '--yes');
  for (const node of NODES)
    expect(await onNode(lab, node, 'ls /usr/bin/kubelet 2>&1', [0, 2])).toContain('No such');
}

describe.skipIf(!HAS_REGISTRY)('a cluster from each source of a bundle', () => {
  beforeAll(async () => {
    directory = await mkdtemp(join(WORK, 'sources-'));
    lab = await labUp(NAME, '--workers', '1', '--no-cluster', '--kubernetes-version', VERSION);
    own = await readFile(lab.clusterFile, 'utf8');
    const path = /^ {2}bundle: (.+)$/m.exec(own)?.[1] ?? '';
    modules = await loadBundle(resolve(lab.directory, path));
    // The lab's machines reach this computer at their gateway.
    const address = /^ {6}address: (.+)$/m.exec(own)?.[1] ?? '';
    const gateway = address.replace(/\d+$/, '1');
    await mkdir(join(directory, 'registry'));
    registry = await startDockerRegistry(join(directory, 'registry'), gateway);
    await fillRegistry(modules, registry, 'mirror');
    await writeReleaseSites(modules, join(directory, 'sites'));
    sites = await serveDirectory(join(directory, 'sites'), { host: gateway, tls: registry.tls });
    mirrors = join(directory, 'mirrors.yaml');
    const login = `ca: ${registry.caFile}, username: ${registry.login.username}, passwordFile: ${join(dirname(registry.caFile), 'password')}`;
    const files = (host: string) => `{url: '${sites.url}/${host}', ca: ${registry.caFile}}`;
    await writeFile(
      mirrors,
      `files:
  https://dl.k8s.io: ${files('dl.k8s.io')}
  https://github.com: ${files('github.com')}
registries:
  registry.k8s.io: {url: 'https://${registry.address}/mirror', ${login}}
  ghcr.io: {url: 'https://${registry.address}/mirror', ${login}}
  ${registry.address}: {url: 'https://${registry.address}', ${login}}
`,
    );
  });
  afterAll(async () => {
    sites?.stop();
    registry?.stop();
    await labDown(NAME);
    await rm(directory, { recursive: true, force: true });
  });

  it('built from modules', () => cluster('from modules', { bundle: modules.dir }));

  it('pulled from mirrors of the official releases', async () => {
    const pulled = join(directory, 'upstream');
    await freshly('bundle', 'pull', '--kubernetes-version', VERSION, '--mirrors', mirrors, '--out', pulled);
    const { lock } = await loadBundle(pulled);
    expect(lock).toMatchObject({ source: 'upstream', kubernetesVersion: VERSION });
    expect(lock.images.map(({ digest }) => digest)).toEqual(modules.lock.images.map(({ digest }) => digest));
    await cluster('from mirrors of the official releases', { bundle: pulled });
  });

  it('pulled by the hosts themselves, through mirrors', async () => {
    await cluster('with hosts that pull by themselves', { bundle: 'online', mirrors }, async () => {
      for (const node of NODES) {
        const [file = ''] = (
          await onNode(lab, node, 'find /etc/containerd/certs.d -name hosts.toml -perm 600')
        ).split('\n');
        expect(await onNode(lab, node, `cat ${file}`)).toContain(registry.address);
        const images = await onNode(lab, node, '/usr/local/bin/ctr --namespace k8s.io images list -q');
        expect(images).toContain(`registry.k8s.io/kube-proxy:${VERSION}`);
      }
    });
  });

  it('carried in one file, signed, in parts', async () => {
    const file = join(directory, 'carried.tar');
    const key = join(directory, 'ops.key');
    await succeed('bundle', 'keygen', '--out', key);
    await succeed('bundle', 'export', modules.dir, '--out', file, '--split', '100M', '--sign-key', key);
    await cluster('from a file', { bundle: { path: file, publicKey: `${key}.pub` } });
  });

  it('made of another one and a delta', async () => {
    const delta = join(directory, 'delta.tar');
    const before = join(directory, 'before');
    const after = join(directory, 'after');
    await succeed('bundle', 'build', '--kubernetes-version', BEFORE, '--out', before);
    await succeed('bundle', 'diff', before, modules.dir, '--out', delta);
    await succeed('bundle', 'import', delta, '--base', before, '--out', after);
    expect((await loadBundle(after)).lock).toEqual(modules.lock);
    await cluster('from a delta', { bundle: after });
  });

  it('kept in a registry', async () => {
    const address = `oci://${registry.address}/keelson/bundle:${VERSION}`;
    const pulled = join(directory, 'pulled');
    await freshly('bundle', 'push', modules.dir, address, '--mirrors', mirrors);
    await freshly('bundle', 'pull', address, '--mirrors', mirrors, '--out', pulled);
    expect((await loadBundle(pulled)).lock).toEqual(modules.lock);
    await cluster('from a registry', { bundle: pulled });
  });
});
