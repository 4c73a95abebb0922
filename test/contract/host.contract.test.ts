import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectHost } from '../../src/host/connect.js';
import type { Host } from '../../src/host/types.js';
import { createFakeHost, type FakeHost } from '../fakes/fake-host.js';
import { startSshServer } from './ssh-server.js';

interface Subject {
  host: Host;
  /** A directory of this test's own on the host. */
  root: string;
  fake?: FakeHost;
  stop(): Promise<void>;
}

const subjects: Record<string, () => Promise<Subject>> = {
  'the fake host': async () => {
    const fake = createFakeHost({ files: { '/root-of-test/keep': '' } });
    return { host: fake, root: '/root-of-test', fake, stop: () => fake.close() };
  },
  'a host behind an in-process SSH server': async () => {
    const server = await startSshServer();
    const root = await mkdtemp(join(tmpdir(), 'keelson-contract-'));
    const host = await connectHost(server.settings, 'fake');
    return {
      host,
      root,
      stop: async () => {
        await host.close();
        await server.close();
        await rm(root, { recursive: true, force: true });
      },
    };
  },
};

const lab = process.env.KEELSON_LAB_DIR;
if (lab !== undefined) {
  subjects['a lab machine'] = async () => {
    const { parse } = await import('yaml');
    const text = (await readFile(join(lab, 'cluster.yaml'), 'utf8')).split(/^---$/m)[0] ?? '';
    const host = await connectHost(
      {
        address: parse(text).spec.hosts[0].address,
        port: 22,
        user: 'root',
        identityFile: join(lab, 'id_ed25519'),
        knownHostsFiles: [join(lab, 'known_hosts')],
        jumpHosts: [],
        agent: false,
        useSshConfig: false,
      },
      'fake',
    );
    const made = await host.exec(['mktemp', '-d', '/tmp/keelson-contract-XXXXXX']);
    const root = made.stdout.toString().trim();
    return {
      host,
      root,
      stop: async () => {
        await host.remove([root]);
        await host.close();
      },
    };
  };
} else {
  it.skip('a lab machine: KEELSON_LAB_DIR names no lab', () => undefined);
}

describe.each(Object.entries(subjects))('%s', (_name, start) => {
  let subject: Subject;
  let host: Host;
  /** What the fake has to be told, since it knows no commands; the others run them. */
  const given = (
    argv: readonly string[] | string,
    reply: { code?: number; stdout?: string; stderr?: string },
  ): void => {
    subject.fake?.on(
      typeof argv === 'string'
        ? argv
        : argv.map((word) => (/^[\w@%+:,./-]+$/.test(word) ? word : `'${word}'`)).join(' '),
      reply,
    );
  };
  const at = (path: string): string => `${subject.root}/${path}`;
  beforeAll(async () => {
    subject = await start();
    host = subject.host;
  });
  afterAll(() => subject.stop());

  it('says its name in every result', async () => {
    given(['echo', 'hello'], { stdout: 'hello\n' });
    const result = await host.exec(['echo', 'hello']);
    expect(result).toMatchObject({
      host: 'fake',
      command: 'echo hello',
      ending: 'exited',
      code: 0,
      truncated: false,
    });
    expect(result.stdout.toString()).toBe('hello\n');
  });

  it('rejects an exit code that is not accepted, with what the command said', async () => {
    given(['sh', '-c', 'echo no >&2; exit 3'], { code: 3, stderr: 'no\n' });
    await expect(host.exec(['sh', '-c', 'echo no >&2; exit 3'])).rejects.toMatchObject({
      code: 'REMOTE_COMMAND',
      host: 'fake',
      details: { code: 3, stderr: 'no\n' },
    });
  });

  it('accepts the codes it is told to', async () => {
    given(['sh', '-c', 'exit 3'], { code: 3 });
    expect((await host.query(['sh', '-c', 'exit 3'], { acceptCodes: [0, 3] })).code).toBe(3);
    expect((await host.query(['sh', '-c', 'exit 3'], { acceptCodes: 'any' })).code).toBe(3);
  });

  it('runs a script under its name', async () => {
    given('<greet> you there', { stdout: 'you there 2\n' });
    const result = await host.script({ name: 'greet', text: 'echo "$* $#"\n', args: ['you', 'there'] });
    expect(result.command).toBe('<greet> you there');
    expect(result.stdout.toString()).toBe('you there 2\n');
  });

  it('puts files with their bytes and mode, and reads them back', async () => {
    const bytes = randomBytes(70_000);
    const written = await host.put([
      { path: at('a/one'), content: bytes, mode: 0o600 },
      { path: at('a/b c/two'), content: Buffer.alloc(0), mode: 0o755 },
      { path: at("it's\\odd $HOME"), content: Buffer.from('x\0y\n'), mode: 0o644 },
    ]);
    expect(written).toHaveLength(3);
    const { files } = await host.read({
      files: [at('a/one'), at('a/b c/two'), at("it's\\odd $HOME"), at('none')],
    });
    expect(files.get(at('a/one'))).toMatchObject({
      type: 'file',
      mode: 0o600,
      size: 70_000,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    });
    expect(files.get(at('a/one'))?.content?.equals(bytes)).toBe(true);
    expect(files.get(at('a/b c/two'))).toMatchObject({ mode: 0o755, size: 0 });
    expect(files.get(at("it's\\odd $HOME"))?.content).toEqual(Buffer.from('x\0y\n'));
    expect(files.get(at('none'))).toMatchObject({ type: 'missing' });
  });

  it('writes only what differs in content or mode', async () => {
    const one = { path: at('same/one'), content: Buffer.from('one'), mode: 0o600 };
    const two = { path: at('same/two'), content: Buffer.from('two'), mode: 0o600 };
    const odd = { path: at('same/back\\slash'), content: Buffer.from('odd'), mode: 0o600 };
    expect(await host.put([one, two, odd])).toEqual([one.path, two.path, odd.path]);
    expect(await host.put([one, two, odd])).toEqual([]);
    expect(await host.put([{ ...one, mode: 0o644 }, two])).toEqual([one.path]);
    expect(await host.put([one, { ...two, content: Buffer.from('2wo') }])).toEqual([one.path, two.path]);
    const { files } = await host.read({ files: [two.path], stats: [one.path] });
    expect(files.get(two.path)?.content?.toString()).toBe('2wo');
    expect(files.get(one.path)).toMatchObject({ type: 'file', mode: 0o600, size: 3 });
    expect(files.get(one.path)?.content).toBeUndefined();
  });

  it('puts a large local file, counting the bytes, once', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'keelson-large-'));
    const localPath = join(directory, 'blob');
    const bytes = randomBytes(3_000_001);
    await writeFile(localPath, bytes);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const spec = { path: at('large/blob'), content: { localPath, size: bytes.length, sha256 }, mode: 0o755 };
    let sent = 0;
    expect(await host.put([spec], { onBytes: (count) => (sent += count) })).toEqual([spec.path]);
    expect(sent).toBeGreaterThanOrEqual(bytes.length);
    expect(await host.put([spec])).toEqual([]);
    const { files } = await host.read({ stats: [spec.path] });
    expect(files.get(spec.path)).toMatchObject({ type: 'file', size: bytes.length, mode: 0o755 });
    await rm(directory, { recursive: true });
  });

  it('answers probes by name, with code and output', async () => {
    given('?greeting', { stdout: 'hi\n', code: 4 });
    given('?broken', { code: 2 });
    const { probes } = await host.read({ probes: { greeting: 'echo hi; exit 4', broken: 'if' } });
    expect(probes.get('greeting')).toEqual({ code: 4, stdout: 'hi\n' });
    expect(probes.get('broken')).toEqual({ code: 2, stdout: '' });
  });

  it('calls a unit that is not there not-found', async () => {
    const { units } = await host.read({ units: ['keelson-none.service'] });
    expect(units.get('keelson-none.service')).toMatchObject({
      unit: 'keelson-none.service',
      active: 'inactive',
    });
  });

  it('removes trees, and does not mind what is missing', async () => {
    await host.put([{ path: at('tree/deep/leaf'), content: Buffer.from('x'), mode: 0o644 }]);
    await host.remove([at('tree'), at('never-was')]);
    const { files } = await host.read({ stats: [at('tree/deep/leaf')] });
    expect(files.get(at('tree/deep/leaf'))?.type).toBe('missing');
  });

  it.each(['/', '//', 'relative/path', '', '/a/../..'])('refuses to remove %j', async (path) => {
    await expect(host.remove([path])).rejects.toMatchObject({ code: 'USAGE' });
  });

  it('tells its facts', async () => {
    const facts = await host.facts();
    expect(facts.cpus).toBeGreaterThan(0);
    expect(facts.kernel).not.toBe('');
    expect(Math.abs(facts.clockSkewMs)).toBeLessThan(5000);
  });

  it('does nothing for a signal that is aborted already', async () => {
    given(['true'], {});
    await expect(host.exec(['true'], { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'ABORTED',
    });
  });

  it('refuses work once it is closed', async () => {
    const other = await start();
    await other.stop();
    await expect(other.host.exec(['true'])).rejects.toMatchObject({ code: 'CONNECTION' });
  });
});
