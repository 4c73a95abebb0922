import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { access, chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectHost } from '../../src/host/connect.js';
import { fingerprint } from '../../src/host/known-hosts.js';
import { connectAll } from '../../src/host/pool.js';
import type { ConnectEvent, ConnectOptions } from '../../src/host/settings.js';
import type { Host } from '../../src/host/types.js';
import { noSshTools } from '../fakes/ssh-tools.js';
import { generateKey, startSshServer, type TestServer } from './ssh-server.js';

let server: TestServer;
let host: Host;
let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'keelson-ssh-test-'));
  server = await startSshServer();
  host = await connectHost(server.settings, 'cp1');
});
afterAll(async () => {
  await host.close();
  await server.close();
  await rm(root, { recursive: true, force: true });
});

/** A host on a connection of its own, which may be broken. */
async function withServer(
  run: (host: Host, server: TestServer) => Promise<void>,
  options: ConnectOptions = {},
): Promise<void> {
  const own = await startSshServer();
  const connected = await connectHost(own.settings, 'own', options);
  try {
    await run(connected, own);
  } finally {
    await connected.close();
    await own.close();
  }
}

describe('a command', () => {
  it('gets its environment, stdin and arguments, and gives bytes', async () => {
    const bytes = randomBytes(3_000_000);
    const result = await host.exec(['sh', '-c', 'printf "%s|%s|" "$GREETING" "$1"; cat', 'sh', "a 'b' $c"], {
      env: { GREETING: 'good day' },
      stdin: Readable.from([bytes.subarray(0, 10), bytes.subarray(10)], { objectMode: false }),
    });
    expect(result.stdout.equals(Buffer.concat([Buffer.from("good day|a 'b' $c|"), bytes]))).toBe(true);
    expect(result.stderr).toHaveLength(0);
  });

  it('that ends at once still has its exit code', async () => {
    const codes = await Promise.all(
      Array.from({ length: 40 }, () => host.exec(['true']).then(({ code }) => code)),
    );
    expect(new Set(codes)).toEqual(new Set([0]));
  });

  it('that is killed is a failure, whatever codes are accepted', async () => {
    await expect(host.exec(['sh', '-c', 'kill -9 $$'], { acceptCodes: 'any' })).rejects.toMatchObject({
      code: 'REMOTE_COMMAND',
      details: { ending: 'signalled', code: null },
    });
  });

  it('that takes too long is killed there, with what it started', async () => {
    const pidFile = join(root, 'pids');
    const command = [
      'sh',
      '-c',
      `trap "" TERM; echo $$ > ${pidFile}; sleep 60 & echo $! >> ${pidFile}; wait; sleep 60`,
    ];
    const started = performance.now();
    await expect(host.exec(command, { timeoutMs: 300 })).rejects.toMatchObject({
      code: 'DEADLINE',
      host: 'cp1',
      details: { ending: 'timed-out' },
    });
    expect(performance.now() - started).toBeLessThan(5000);
    for (const pid of (await readFile(pidFile, 'utf8')).trim().split('\n')) {
      const { stdout } = await host.exec(['sh', '-c', `grep -s ^State /proc/${pid}/status || echo gone`]);
      expect(stdout.toString()).toMatch(/gone|Z \(zombie\)/);
    }
  });

  it('that is aborted is killed there', async () => {
    const controller = new AbortController();
    const pidFile = join(root, 'aborted');
    const pending = host.exec(['sh', '-c', `echo $$ > ${pidFile}; exec sleep 60`], {
      signal: controller.signal,
    });
    setTimeout(() => controller.abort(), 100);
    await expect(pending).rejects.toMatchObject({ code: 'ABORTED' });
    const pid = (await readFile(pidFile, 'utf8')).trim();
    const { stdout } = await host.exec(['sh', '-c', `kill -0 ${pid} 2>/dev/null && echo alive || echo gone`]);
    expect(stdout.toString()).toBe('gone\n');
  });

  it('that does not read its stdin ends all the same', async () => {
    const stdin = Readable.from([randomBytes(8_000_000)], { objectMode: false });
    expect((await host.exec(['true'], { stdin })).code).toBe(0);
  });

  it('keeps output up to the limit and says that it is cut', async () => {
    const result = await host.exec(['head', '-c', '100000', '/dev/zero'], { maxOutputBytes: 1000 });
    expect(result).toMatchObject({ truncated: true, code: 0 });
    expect(result.stdout).toHaveLength(1000);
  });

  it('shows no secret in its result or its error', async () => {
    const secret = 'hunter2-hunter2';
    const shown = await host.exec(['echo', secret], { secrets: [secret] });
    expect(shown.command).toBe('echo <redacted>');
    const failure = await host
      .exec(['sh', '-c', `echo ${secret} >&2; exit 1`], { secrets: [secret] })
      .catch((error: unknown) => error);
    expect(JSON.stringify(failure) + String(failure)).not.toContain(secret);
  });

  it('waits for a free channel: never more than eight at a time', async () => {
    await withServer(async (own, { sessions }) => {
      await Promise.all(Array.from({ length: 30 }, () => own.exec(['sleep', '0.05'])));
      expect(sessions.opened).toBe(30);
      expect(sessions.most).toBeLessThanOrEqual(8);
    });
  });
});

describe('a lost connection', () => {
  it('ends everything pending as CONNECTION, outcome unknown', async () => {
    await withServer(async (own, theirs) => {
      const pending = [own.exec(['sleep', '60']), own.read({ probes: { slow: 'sleep 60' } })];
      const settled = Promise.allSettled(pending);
      await own.exec(['true']);
      theirs.dropAll();
      for (const result of await settled) {
        expect(result).toMatchObject({ status: 'rejected', reason: { code: 'CONNECTION', host: 'own' } });
      }
      await expect(own.exec(['true'])).rejects.toMatchObject({ code: 'CONNECTION' });
      await expect(own.forward('127.0.0.1', 1)).rejects.toMatchObject({ code: 'CONNECTION' });
    });
  });

  it('is noticed by keepalives when the network is silent', async () => {
    await withServer(
      async (own, theirs) => {
        const pending = own.exec(['sleep', '60']);
        setTimeout(() => theirs.freeze(), 100);
        await expect(pending).rejects.toMatchObject({ code: 'CONNECTION' });
      },
      { keepaliveIntervalMs: 100 },
    );
  });
});

describe('put', () => {
  const leftovers = async (directory: string): Promise<string[]> =>
    (await readdir(directory)).filter((name) => name.startsWith('.keelson'));

  it('leaves the old file and no temporary where the digest is wrong', async () => {
    const directory = join(root, 'wrong');
    await mkdir(directory);
    const localPath = join(root, 'local');
    await writeFile(localPath, 'other bytes');
    await writeFile(join(directory, 'file'), 'old');
    const spec = {
      path: join(directory, 'file'),
      mode: 0o644,
      content: { localPath, size: 11, sha256: '0'.repeat(64) },
    };
    await expect(host.put([spec])).rejects.toMatchObject({
      code: 'REMOTE_COMMAND',
      details: { stderr: expect.stringContaining('file: FAILED') },
    });
    expect(await readFile(spec.path, 'utf8')).toBe('old');
    expect(await leftovers(directory)).toEqual([]);
  });

  it('leaves no temporary when the connection breaks in the middle', async () => {
    const directory = join(root, 'broken');
    await mkdir(directory);
    const localPath = join(root, 'large');
    await writeFile(localPath, randomBytes(60_000_000));
    await withServer(async (own, theirs) => {
      let sent = 0;
      const pending = own.put(
        [
          {
            path: join(directory, 'file'),
            mode: 0o644,
            content: { localPath, size: 60_000_000, sha256: '0'.repeat(64) },
          },
        ],
        {
          onBytes: (count) => {
            sent += count;
            if (sent > 20_000_000) theirs.dropAll();
          },
        },
      );
      await expect(pending).rejects.toMatchObject({ code: 'CONNECTION' });
      await expect.poll(() => readdir(directory), { timeout: 5000 }).toEqual([]);
    });
  });

  it('names a local file that is not what it was', async () => {
    const localPath = join(root, 'short');
    await writeFile(localPath, 'abc');
    const content = { localPath, size: 5, sha256: '0'.repeat(64) };
    await expect(host.put([{ path: join(root, 'x'), mode: 0o644, content }])).rejects.toMatchObject({
      code: 'CONFIG',
    });
  });

  it('makes directories with the mode it is told, and leaves those that exist', async () => {
    const path = join(root, 'new/inner/file');
    await host.put([{ path, mode: 0o600, dirMode: 0o700, content: Buffer.from('x') }]);
    const { files } = await host.read({ stats: [join(root, 'new'), join(root, 'new/inner')] });
    expect([...files.values()].map(({ mode }) => mode.toString(8))).toEqual(['700', '700']);
    await host.put([
      { path: join(root, 'new/other'), mode: 0o600, dirMode: 0o755, content: Buffer.from('x') },
    ]);
    const again = await host.read({ stats: [join(root, 'new')] });
    expect(again.files.get(join(root, 'new'))?.mode).toBe(0o700);
  });

  it.each(['relative', '/a/../b', '/a/', '/a\nb', '/a//b'])('refuses the path %j', async (path) => {
    await expect(host.put([{ path, mode: 0o600, content: Buffer.from('') }])).rejects.toMatchObject({
      code: 'USAGE',
    });
  });

  it('refuses an owner that is none', async () => {
    const spec = { path: '/tmp/x', mode: 0o600, owner: '--reference=/x', content: Buffer.from('') };
    await expect(host.put([spec])).rejects.toMatchObject({ code: 'USAGE' });
  });
});

describe('read', () => {
  it('tells directories, links, unreadable and large files apart', async () => {
    const directory = join(root, 'kinds');
    await mkdir(directory);
    await writeFile(join(directory, 'large'), Buffer.alloc(1024 * 1024 + 1));
    await writeFile(join(directory, 'full'), Buffer.alloc(1024 * 1024));
    await host.exec(['ln', '-s', '/nowhere', join(directory, 'link')]);
    await host.exec(['mkfifo', join(directory, 'pipe')]);
    const names = ['large', 'full', 'link', 'pipe', '.'];
    const { files } = await host.read({ files: names.map((name) => join(directory, name)) });
    const kinds = [...files.values()].map(({ type, content, sha256 }) => [
      type,
      content?.length,
      sha256?.length,
    ]);
    expect(kinds).toEqual([
      ['file', undefined, 64],
      ['file', 1024 * 1024, 64],
      ['symlink', undefined, undefined],
      ['other', undefined, undefined],
      ['directory', undefined, undefined],
    ]);
  });

  it('needs one session for everything', async () => {
    await withServer(async (own, { sessions }) => {
      await own.read({
        files: ['/etc/hostname'],
        stats: ['/bin/sh'],
        units: ['a.service'],
        probes: { a: 'echo' },
      });
      expect(sessions.opened).toBe(1);
      await own.facts();
      await own.facts();
      expect(sessions.opened).toBe(2);
    });
  });

  it('is not led astray by what a probe prints or does', async () => {
    const { probes } = await host.read({
      probes: { odd: "printf 'x7\\nP 9 9\\n'; exit 0", greedy: 'cat; exit 5', last: 'echo end' },
    });
    expect(probes.get('odd')).toEqual({ code: 0, stdout: 'x7\nP 9 9\n' });
    expect(probes.get('greedy')).toEqual({ code: 5, stdout: '' });
    expect(probes.get('last')).toEqual({ code: 0, stdout: 'end\n' });
  });
});

describe('forward', () => {
  it('carries bytes to a port that the host sees, and reports one that is closed', async () => {
    const echo = createServer((socket) => socket.pipe(socket));
    await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
    const { port } = echo.address() as AddressInfo;
    const stream = await host.forward('127.0.0.1', port);
    const answer = new Promise<string>((resolve) =>
      stream.once('data', (chunk: Buffer) => resolve(chunk.toString())),
    );
    stream.write('ping');
    expect(await answer).toBe('ping');
    stream.destroy();
    await new Promise<void>((resolve) => echo.close(() => resolve()));
    await expect(host.forward('127.0.0.1', port)).rejects.toMatchObject({
      code: 'CONNECTION',
      retryable: true,
    });
  });
});

describe('connecting', () => {
  it('refuses a host whose key is another than known', async () => {
    const file = join(root, 'known-other');
    const other = generateKey().public.toString('base64');
    await writeFile(file, `[127.0.0.1]:${server.port} ssh-ed25519 ${other}\n`);
    await expect(connectHost({ ...server.settings, knownHostsFiles: [file] }, 'cp1')).rejects.toMatchObject({
      code: 'HOST_KEY',
      host: 'cp1',
      message: expect.stringContaining(fingerprint(server.hostKey)),
    });
  });

  it('adds an unknown key only where that is asked for', async () => {
    const settings = { ...server.settings, knownHostsFiles: [join(root, 'accept/known_hosts')] };
    await expect(connectHost(settings, 'cp1')).rejects.toMatchObject({ code: 'HOST_KEY' });
    const events: ConnectEvent[] = [];
    const added = await connectHost(settings, 'cp1', {
      acceptNewHostKeys: true,
      onEvent: (event) => events.push(event),
    });
    await added.close();
    expect(events).toMatchObject([{ type: 'host-key-accepted', fingerprint: fingerprint(server.hostKey) }]);
    await (await connectHost(settings, 'cp1')).close();
  });

  it('takes a pinned key without known_hosts', async () => {
    const settings = {
      ...server.settings,
      knownHostsFiles: [],
      hostKeyFingerprint: fingerprint(server.hostKey),
    };
    await (await connectHost(settings, 'cp1')).close();
  });

  it('names the keys it tried when none is let in', async () => {
    const file = join(root, 'stranger');
    await writeFile(file, generateKey().openssh, { mode: 0o600 });
    await expect(connectHost({ ...server.settings, identityFile: file }, 'cp1')).rejects.toMatchObject({
      code: 'AUTHENTICATION',
      host: 'cp1',
      message: expect.stringContaining(file),
      details: { tried: [file], offered: ['publickey'] },
    });
  });

  it.skipIf(noSshTools !== null)(
    'lets the agent sign, and goes on without one that is not there',
    async () => {
      const socket = join(root, 'agent.sock');
      const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
      try {
        await expect
          .poll(
            () =>
              access(socket).then(
                () => true,
                () => false,
              ),
            { timeout: 5000 },
          )
          .toBe(true);
        const key = join(server.directory, 'id_ed25519');
        execFileSync('ssh-add', ['-q', key], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
        const stranger = join(root, 'stranger-to-agent');
        await writeFile(stranger, generateKey().openssh, { mode: 0o600 });
        const settings = { ...server.settings, identityFile: stranger, agent: true };
        await (await connectHost(settings, 'cp1', { agentSocket: socket })).close();
      } finally {
        agent.kill();
      }
      const events: ConnectEvent[] = [];
      const without = await connectHost({ ...server.settings, agent: true }, 'cp1', {
        agentSocket: join(root, 'no-agent.sock'),
        onEvent: (event) => events.push(event),
      });
      await without.close();
      expect(events).toMatchObject([{ type: 'credential-skipped', host: 'cp1' }]);
    },
  );

  it.skipIf(noSshTools !== null)(
    'asks for the passphrase of an encrypted key, with the clock stopped',
    async () => {
      const file = join(root, 'encrypted');
      await copyFile(join(server.directory, 'id_ed25519'), file);
      await chmod(file, 0o600);
      execFileSync('ssh-keygen', ['-q', '-p', '-a', '1', '-P', '', '-N', 'open sesame', '-f', file], {
        stdio: 'ignore',
      });
      const settings = { ...server.settings, identityFile: file };
      const passphrase = async (): Promise<string> => {
        await new Promise((resolve) => setTimeout(resolve, 700));
        return 'open sesame';
      };
      await (await connectHost(settings, 'cp1', { passphrase, connectTimeoutMs: 500 })).close();
      await expect(connectHost(settings, 'cp1', { passphrase: async () => 'wrong' })).rejects.toMatchObject({
        code: 'AUTHENTICATION',
        message: `wrong passphrase for ${file}`,
      });
      await expect(connectHost(settings, 'cp1')).rejects.toMatchObject({
        code: 'AUTHENTICATION',
        hint: expect.stringContaining('ssh-add'),
      });
    },
  );

  it('says what is wrong with a network address', async () => {
    const free = createServer();
    await new Promise<void>((resolve) => free.listen(0, '127.0.0.1', resolve));
    const { port } = free.address() as AddressInfo;
    await new Promise<void>((resolve) => free.close(() => resolve()));
    await expect(connectHost({ ...server.settings, port }, 'cp1')).rejects.toMatchObject({
      code: 'CONNECTION',
      message: `root@127.0.0.1:${port} refused the connection`,
      hint: expect.stringContaining('sshd'),
    });
    await expect(
      connectHost({ ...server.settings, address: 'no-such-host.invalid' }, 'cp1'),
    ).rejects.toMatchObject({
      code: 'CONNECTION',
    });
  });

  it('gives up on a server that says nothing, and when it is aborted', async () => {
    const mute = await startSshServer({ mute: true });
    await expect(connectHost(mute.settings, 'm', { connectTimeoutMs: 200 })).rejects.toMatchObject({
      code: 'CONNECTION',
      message: expect.stringContaining('says nothing'),
    });
    await expect(connectHost(mute.settings, 'm', { signal: AbortSignal.timeout(100) })).rejects.toMatchObject(
      {
        code: 'ABORTED',
      },
    );
    await mute.close();
  });

  it('goes through jump hosts, each with its own key check', async () => {
    const jump = await startSshServer();
    const files = [join(server.directory, 'known_hosts'), join(jump.directory, 'known_hosts')];
    const settings = {
      ...server.settings,
      jumpHosts: [`root@127.0.0.1:${jump.port}`],
      knownHostsFiles: files,
    };
    await expect(connectHost(settings, 'far')).rejects.toMatchObject({ code: 'AUTHENTICATION' });
    jump.allow(server);
    const far = await connectHost(settings, 'far');
    expect((await far.exec(['echo', 'far'])).stdout.toString()).toBe('far\n');
    expect(jump.forwards.opened).toBe(1);
    await far.close();
    await expect(
      connectHost({ ...settings, knownHostsFiles: files.slice(0, 1) }, 'far'),
    ).rejects.toMatchObject({
      code: 'HOST_KEY',
    });
    await jump.close();
  });
});

describe('sudo', () => {
  /** A stand-in for sudo: like it, it takes one line of stdin only where it wants a password. */
  const shim = (wanted: string | null): string => `#!/bin/sh
n= S=
while :; do case $1 in -n) n=1;; -S) S=1;; -k) ;; -p) shift;; --) shift; break;; *) break;; esac; shift; done
if [ -n '${wanted ?? ''}' ]; then
  [ -z "$n" ] || { echo 'sudo: a password is required' >&2; exit 1; }
  IFS= read -r p; [ "$p" = '${wanted ?? ''}' ] || { echo 'Sorry, try again.' >&2; exit 1; }
fi
exec env AS_ROOT=yes "$@"
`;
  const withSudo = async (
    wanted: string | null,
    options: ConnectOptions,
    run: (root: Host) => Promise<void>,
  ): Promise<void> => {
    const bin = await mkdtemp(join(root, 'bin-'));
    await writeFile(join(bin, 'sudo'), shim(wanted));
    await writeFile(join(bin, 'id'), '#!/bin/sh\necho 1000\n');
    await chmod(join(bin, 'sudo'), 0o755);
    await chmod(join(bin, 'id'), 0o755);
    const own = await startSshServer({
      user: 'admin',
      env: { ...process.env, PATH: `${bin}:${process.env.PATH}` },
    });
    const user = await connectHost(own.settings, 'w1', options);
    try {
      expect((await user.exec(['sh', '-c', 'echo "$AS_ROOT"'])).stdout.toString()).toBe('\n');
      await run(user.asRoot());
    } finally {
      await user.close();
      await own.close();
    }
  };

  it('is used without a password where none is wanted', async () => {
    await withSudo(null, {}, async (asRoot) => {
      const result = await asRoot.exec(['sh', '-c', 'echo "$AS_ROOT"; cat'], { stdin: 'input' });
      expect(result.stdout.toString()).toBe('yes\ninput');
      expect(result.command).toMatch(/^sudo -n -- sh -c/);
      expect(asRoot.asRoot()).toBe(asRoot);
    });
  });

  it('gets the password on stdin, asked for once, and the command never sees it', async () => {
    let asked = 0;
    const sudoPassword = async (): Promise<string> => {
      asked += 1;
      return 'pass word';
    };
    await withSudo('pass word', { sudoPassword }, async (asRoot) => {
      const results = await Promise.all([
        asRoot.exec(['cat'], { stdin: 'first\n' }),
        asRoot.exec(['cat'], { stdin: randomBytes(100_000) }),
        asRoot.script({ name: 'x', text: 'echo "$AS_ROOT"' }),
      ]);
      expect(results.map(({ stdout }) => stdout.length)).toEqual([6, 100_000, 4]);
      expect(
        await asRoot.put([{ path: join(root, 'by-root'), content: Buffer.from('x'), mode: 0o600 }]),
      ).toHaveLength(1);
      expect(asked).toBe(1);
    });
  });

  it('that wants a password nobody gives, or the right one, is a clear error', async () => {
    await withSudo('right', {}, async (asRoot) => {
      await expect(asRoot.exec(['true'])).rejects.toMatchObject({ code: 'PREFLIGHT', host: 'w1' });
    });
    await withSudo('right', { sudoPassword: async () => 'wrong' }, async (asRoot) => {
      await expect(asRoot.exec(['true'])).rejects.toMatchObject({
        message: 'sudo does not take the password',
      });
    });
  });
});

describe('connecting to many', () => {
  it('gives all hosts in order', async () => {
    const hosts = ['a', 'b', 'c'].map((name) => ({ name, ssh: server.settings }));
    const connected = await connectAll(hosts);
    expect([...connected.keys()]).toEqual(['a', 'b', 'c']);
    await Promise.all([...connected.values()].map((each) => each.close()));
  });

  it('names every host that failed, and why', async () => {
    const refused = { ...server.settings, port: 1 };
    const stranger = { ...server.settings, knownHostsFiles: [] };
    const good = { name: 'good', ssh: server.settings };
    await expect(
      connectAll([good, { name: 'a', ssh: refused }, { name: 'b', ssh: refused }]),
    ).rejects.toMatchObject({
      code: 'CONNECTION',
      message: expect.stringMatching(/^2 of 3 hosts failed\n {2}a, b: .*refused/),
    });
    await expect(
      connectAll([{ name: 'a', ssh: refused }, { name: 'b', ssh: stranger }, good]),
    ).rejects.toMatchObject({
      code: 'HOSTS_FAILED',
    });
  });
});
