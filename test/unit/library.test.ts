import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, expectTypeOf, it, onTestFinished, vi } from 'vitest';
import * as library from '../../src/index.js';
import {
  apply,
  type Cluster,
  type ErrorCode,
  exitCodeOf,
  KeelsonError,
  loadCluster,
  type Plan,
  parseCluster,
  plan,
  render,
  type TimedEvent,
} from '../../src/index.js';
import { startSshServer, type TestServer } from '../contract/ssh-server.js';
import { smallBundle } from './bundle/fixture.js';
import { CLUSTER, KUBEADM, stream } from './config/support.js';

const TEXT = stream(CLUSTER, KUBEADM);

async function file(text: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'keelson-library-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const path = join(directory, 'cluster.yaml');
  await writeFile(path, text);
  return path;
}

describe('the library', () => {
  it('loads a cluster from its file or from text', async () => {
    const cluster = await loadCluster(await file(TEXT));
    expectTypeOf(cluster).toEqualTypeOf<Cluster>();
    expect(cluster.hosts.map(({ name, role }) => [name, role])).toEqual([
      ['cp1', 'control-plane'],
      ['w1', 'worker'],
    ]);
    expect(Object.isFrozen(cluster)).toBe(true);
    expect({ ...parseCluster(TEXT), file: null }).toEqual({ ...cluster, file: null });
  });

  it('throws errors with a code, a hint and an exit code', async () => {
    const error = await loadCluster('/nowhere.yaml').catch((thrown: unknown) => thrown);
    if (!(error instanceof KeelsonError)) throw error;
    expectTypeOf(error.code).toEqualTypeOf<ErrorCode>();
    expect([error.code, exitCodeOf(error)]).toEqual(['CONFIG', 3]);
    expect(error.hint).toBeDefined();
  });

  it('renders hosts in memory', async () => {
    const trees = await render(parseCluster(TEXT), { hosts: ['w1'] });
    expect(trees.get('w1')?.get('/var/lib/kubelet/config.yaml')?.mode).toBe(0o644);
  });

  it('has every function that its page names, and no other', async () => {
    const page = await readFile(new URL('../../docs/library.md', import.meta.url), 'utf8');
    for (const name of Object.keys(library)) expect(page, name).toContain(name);
    for (const [, name] of page.matchAll(/`(\w+)\(\w*(?:, [^)]*)?\)`/g))
      expect(library).toHaveProperty(name ?? '');
  });

  it('wants a bundle before it connects to anything', async () => {
    await expect(plan(parseCluster(TEXT))).rejects.toMatchObject({ code: 'BUNDLE' });
    await expect(apply(parseCluster(TEXT))).rejects.toMatchObject({ code: 'BUNDLE' });
  });
});

// Planning reads as root: the server runs commands as this process.
describe.skipIf(process.getuid?.() !== 0)('the library with a host', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startSshServer();
  });
  afterAll(() => server.close());

  const overSsh = async (): Promise<Cluster> => {
    const { identityFile, knownHostsFiles, port } = server.settings;
    const ssh = `ssh: {user: root, port: ${port}, identityFile: ${identityFile}, knownHostsFile: ${knownHostsFiles[0]}, useSshConfig: false}`;
    const { dir } = await smallBundle();
    return parseCluster(
      stream(
        `apiVersion: keelson.dev/v1alpha1
kind: Cluster
metadata: {name: demo}
spec:
  ${ssh}
  bundle: ${dir}
  network: {plugin: none}
  hosts:
    - {name: cp1, role: control-plane, address: 127.0.0.1, nodeIP: 10.0.0.1}
`,
        // A directory that no machine has, so that the plan is that of a fresh host.
        `${KUBEADM}certificatesDir: /nowhere/pki\nproxy: {disabled: true}\ndns: {disabled: true}\n`,
      ),
    );
  };

  it('plans over SSH, tells what happens, and prints nothing', async () => {
    const printed = [vi.spyOn(process.stdout, 'write'), vi.spyOn(process.stderr, 'write')];
    const events: TimedEvent[] = [];
    const made = await plan(await overSsh(), { phase: 'certs', onEvent: (event) => events.push(event) });
    for (const stream of printed) {
      expect(stream).not.toHaveBeenCalled();
      stream.mockRestore();
    }
    expectTypeOf(made).toEqualTypeOf<Plan>();
    expect(made.tasks.find(({ phase }) => phase === 'certs/ca')).toMatchObject({
      host: 'cp1',
      standing: 'missing',
      changes: [{ path: '/nowhere/pki/ca.crt' }, { path: '/nowhere/pki/ca.key' }],
    });
    expect(events.filter(({ type }) => type === 'task-planned')).toHaveLength(made.tasks.length);
  });

  it('is broken off by its signal', async () => {
    const abort = new AbortController();
    const planning = plan(await overSsh(), { signal: abort.signal });
    abort.abort();
    await expect(planning).rejects.toMatchObject({ code: 'ABORTED' });
  });
});
