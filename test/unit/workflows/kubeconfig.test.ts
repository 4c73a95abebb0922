import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { saveKubeconfig } from '../../../src/workflows/kubeconfig.js';
import { mergeKubeconfig, renamedKubeconfig } from '../../../src/workflows/merge-kubeconfig.js';

const ADMIN = `apiVersion: v1
clusters:
- cluster:
    server: https://10.0.0.1:6443
  name: kubernetes
contexts:
- context:
    cluster: kubernetes
    user: kubernetes-admin
  name: kubernetes-admin@kubernetes
current-context: kubernetes-admin@kubernetes
kind: Config
users:
- name: kubernetes-admin
  user:
    client-key-data: a2V5
`;

const MINE = `# my own
apiVersion: v1
kind: Config
current-context: prod # do not touch
clusters:
- name: prod
  cluster:
    server: https://prod.example:6443 # the big one
contexts:
- name: prod
  context: {cluster: prod, user: me}
users:
- name: me
  user:
    token: abcdefgh
`;

const OPTIONS = { file: 'config', replace: false, use: false };
const demo = renamedKubeconfig(ADMIN, 'demo');

describe('renamedKubeconfig', () => {
  it('gives cluster, context and user names of their own', () => {
    expect(parse(demo)).toMatchObject({
      clusters: [{ name: 'demo', cluster: { server: 'https://10.0.0.1:6443' } }],
      contexts: [{ name: 'demo', context: { cluster: 'demo', user: 'demo-admin' } }],
      users: [{ name: 'demo-admin' }],
      'current-context': 'demo',
    });
  });
});

describe('mergeKubeconfig', () => {
  it('fills a file that is empty or has comments alone, and keeps the comments', () => {
    expect(mergeKubeconfig('', ADMIN, OPTIONS)).toBe(ADMIN);
    expect(mergeKubeconfig('# mine\n\n', ADMIN, OPTIONS)).toBe(`# mine\n${ADMIN}`);
  });

  it('adds to the end of each list and leaves every other byte', () => {
    const merged = mergeKubeconfig(MINE, demo, OPTIONS);
    const added = new Set(merged.split('\n').filter((line) => !MINE.split('\n').includes(line)));
    expect(
      merged
        .split('\n')
        .filter((line) => !added.has(line) && line !== '')
        .slice(0, 4),
    ).toEqual(['# my own', 'apiVersion: v1', 'kind: Config', 'current-context: prod # do not touch']);
    for (const line of MINE.split('\n')) expect(merged.split('\n')).toContain(line);
    expect(parse(merged)).toMatchObject({
      clusters: [{ name: 'prod' }, { name: 'demo' }],
      contexts: [{ name: 'prod' }, { name: 'demo' }],
      users: [{ name: 'me' }, { name: 'demo-admin' }],
    });
  });

  it('changes nothing the second time', () => {
    const once = mergeKubeconfig(MINE, demo, OPTIONS);
    expect(mergeKubeconfig(once, demo, OPTIONS)).toBe(once);
  });

  it('makes the new context current only where there is none, or when asked', () => {
    expect(parse(mergeKubeconfig(MINE, demo, OPTIONS))).toMatchObject({ 'current-context': 'prod' });
    expect(parse(mergeKubeconfig(MINE, demo, { ...OPTIONS, use: true }))).toMatchObject({
      'current-context': 'demo',
    });
    const none = MINE.replace('current-context: prod # do not touch', "current-context: ''");
    expect(parse(mergeKubeconfig(none, demo, OPTIONS))).toMatchObject({ 'current-context': 'demo' });
  });

  it('refuses an entry of the same name that says something else, unless told to replace it', () => {
    const other = demo.replace('10.0.0.1', '10.9.9.9');
    const once = mergeKubeconfig(MINE, demo, OPTIONS);
    expect(() => mergeKubeconfig(once, other, OPTIONS)).toThrow(
      expect.objectContaining({ code: 'CONFLICT', message: 'config has another cluster demo' }),
    );
    const replaced = mergeKubeconfig(once, other, { ...OPTIONS, replace: true });
    expect(parse(replaced)).toMatchObject({
      clusters: [{ name: 'prod' }, { name: 'demo', cluster: { server: 'https://10.9.9.9:6443' } }],
    });
  });

  it('fills lists that are missing or null', () => {
    const merged = mergeKubeconfig('apiVersion: v1\nkind: Config\nclusters: null\n', demo, OPTIONS);
    expect(parse(merged)).toEqual({ ...parse(demo), kind: 'Config' });
  });

  it.each(['just text', 'clusters: 5\n', 'a: [\n'])('refuses %j, which is no kubeconfig', (text) => {
    expect(() => mergeKubeconfig(text, demo, OPTIONS)).toThrow(expect.objectContaining({ code: 'CONFIG' }));
  });
});

describe('saveKubeconfig', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'keelson-kubeconfig-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const plain = { merge: false, replace: false, use: false };

  it('makes directory and file, readable by nobody else', async () => {
    const file = join(directory, '.kube', 'config');
    expect(await saveKubeconfig(demo, file, { ...plain, merge: true })).toBe(true);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readFile(file, 'utf8')).toBe(demo);
    expect(await saveKubeconfig(demo, file, { ...plain, merge: true })).toBe(false);
    expect(await readdir(join(directory, '.kube'))).toEqual(['config']);
  });

  it('overwrites nothing else unless told to', async () => {
    const file = join(directory, 'config');
    await writeFile(file, MINE);
    await chmod(file, 0o644);
    await expect(saveKubeconfig(demo, file, plain)).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await readFile(file, 'utf8')).toBe(MINE);
    expect(await saveKubeconfig(demo, file, { ...plain, replace: true })).toBe(true);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readdir(directory)).toEqual(['config']);
  });

  it('waits for nobody who holds the lock that kubectl takes', async () => {
    const file = join(directory, 'config');
    await writeFile(`${file}.lock`, '');
    await expect(saveKubeconfig(demo, file, plain)).rejects.toMatchObject({ code: 'LOCKED' });
    expect(await readdir(directory)).toEqual(['config.lock']);
  });
});
