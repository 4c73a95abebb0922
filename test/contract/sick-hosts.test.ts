import { describe, expect, it, onTestFinished } from 'vitest';
import { connectHost } from '../../src/host/connect.js';
import type { ConnectEvent, ConnectOptions } from '../../src/host/settings.js';
import type { Host } from '../../src/host/types.js';
import { startSshServer, type TestServer, type TestServerOptions } from './ssh-server.js';

async function sickServer(options: TestServerOptions): Promise<TestServer> {
  const server = await startSshServer(options);
  onTestFinished(() => server.close());
  return server;
}

/** A host whose login shell is a script, which gets the command as $1. */
async function hostWithShell(script: string): Promise<Host> {
  const server = await sickServer({ shell: ['/bin/sh', '-c', script, 'login-shell'] });
  const host = await connectHost(server.settings, 'sick');
  onTestFinished(() => host.close());
  return host;
}

const failureOf = async (options: TestServerOptions, connect: ConnectOptions = {}) => {
  const { settings } = await sickServer(options);
  return connectHost(settings, 'sick', connect).then(
    () => 'connected',
    (error: unknown) => error,
  );
};

describe('a login shell that runs no commands', () => {
  const NOLOGIN = 'echo "This account is currently not available."; exit 1';

  it.each([
    ['facts', (host: Host) => host.facts()],
    ['exec', (host: Host) => host.exec(['true'], { acceptCodes: 'any' })],
    ['read', (host: Host) => host.read({ files: ['/etc/hostname'] })],
  ])('is told by %s, with its words and what to do', async (_name, ask) => {
    await expect(ask(await hostWithShell(NOLOGIN))).rejects.toMatchObject({
      code: 'REMOTE_COMMAND',
      host: 'sick',
      message: 'the login succeeds, but its shell runs no commands: This account is currently not available.',
      hint: expect.stringContaining('usermod -s'),
    });
  });

  it('is told also where it complains on stderr, and where it says nothing', async () => {
    await expect((await hostWithShell('echo "no TTY available" >&2; exit 1')).facts()).rejects.toMatchObject({
      message: expect.stringMatching(/runs no commands: no TTY available$/),
    });
    await expect((await hostWithShell('exit 0')).facts()).rejects.toMatchObject({
      message: expect.stringMatching(/runs no commands$/),
    });
  });

  it('is told where it hangs', async () => {
    const host = await hostWithShell('echo Mounting your home; sleep 30');
    await expect(host.exec(['true'], { timeoutMs: 200 })).rejects.toMatchObject({
      code: 'DEADLINE',
      message: expect.stringContaining('no command began'),
      details: { stdout: 'Mounting your home' },
      hint: expect.stringContaining('start-up file'),
    });
  });
});

describe('a login shell that prints something first', () => {
  // Not even a whole line, and text that looks like facts.
  const CHATTY = 'printf "Welcome!\\nkernel=9.9\\nmore: "; eval "$1"';

  it('does not spoil what commands print', async () => {
    const host = await hostWithShell(CHATTY);
    expect((await host.exec(['echo', 'hello'])).stdout.toString()).toBe('hello\n');
    expect((await host.facts()).kernel).not.toBe('9.9');
    const { files } = await host.read({ files: ['/etc/passwd'] });
    expect(files.get('/etc/passwd')?.content?.toString()).toMatch(/^root:/);
  });

  it('does not count as output, however much it is', async () => {
    const host = await hostWithShell('head -c 300000 /dev/zero | tr "\\0" x; eval "$1"');
    expect(await host.exec(['echo', 'hello'], { maxOutputBytes: 6 })).toMatchObject({
      truncated: false,
      stdout: Buffer.from('hello\n'),
    });
  });
});

describe('a port that is open', () => {
  it('and says nothing is told apart from one that does not answer', async () => {
    expect(await failureOf({ mute: true }, { connectTimeoutMs: 200 })).toMatchObject({
      code: 'CONNECTION',
      host: 'sick',
      message: expect.stringMatching(
        /^root@127\.0\.0\.1:\d+ accepts connections and then says nothing within 0\.2 s$/,
      ),
      hint: expect.stringContaining('sshd'),
    });
  });

  it('and speaks something else is told by its first words', async () => {
    expect(await failureOf({ says: 'HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n' })).toMatchObject({
      code: 'CONNECTION',
      message: 'the server does not speak SSH: it says "HTTP/1.1 400 Bad Request"',
      hint: expect.stringContaining('port'),
    });
  });

  it('and turns everybody away is told by its words', async () => {
    expect(await failureOf({ says: 'Not allowed at this time\r\n' })).toMatchObject({
      code: 'CONNECTION',
      message: expect.stringContaining('"Not allowed at this time"'),
      hint: expect.stringContaining('overloaded'),
    });
  });

  it('is named while it lets wait', async () => {
    const events: ConnectEvent[] = [];
    await failureOf({ mute: true }, { connectTimeoutMs: 3200, onEvent: (event) => events.push(event) });
    expect(events).toEqual([
      {
        type: 'slow',
        host: 'sick',
        awaited: expect.stringMatching(/^an answer of root@127\.0\.0\.1:\d+$/),
        waitedMs: 3000,
        limitMs: 3200,
      },
    ]);
  });
});
