import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2, { type ParsedKey, type ServerChannel } from 'ssh2';
import { knownHostsName } from '../../src/host/known-hosts.js';
import type { SshSettings } from '../../src/host/settings.js';

/** An SSH server in this process; it runs commands with the local shell. */
export interface TestServer {
  port: number;
  /** Settings that reach it; its key is in the known_hosts file. */
  settings: SshSettings;
  /** Directory with id_ed25519 and known_hosts. */
  directory: string;
  hostKey: Buffer;
  /** Session channels opened so far; the most that were open at the same time. */
  sessions: { opened: number; open: number; most: number };
  /** Direct-tcpip channels opened so far. */
  forwards: { opened: number };
  /** Lets in also whoever may log in to the other server. */
  allow(other: TestServer): void;
  /** Stops answering without closing anything, as a machine does that hangs. */
  freeze(): void;
  /** The public key that may log in. */
  userKey: Buffer;
  /** Cuts all connections, as a power loss does. */
  dropAll(): void;
  close(): Promise<void>;
}

export interface TestServerOptions {
  /** Environment of commands; default that of this process. */
  env?: NodeJS.ProcessEnv;
  user?: string;
  /** Accept TCP connections and never say a word. */
  mute?: boolean;
  /** What it says to everybody, in place of SSH. */
  says?: string;
  /** Login shell, as argv before the command; default /bin/sh -c. */
  shell?: readonly string[];
}

export function generateKey(): { openssh: string; public: Buffer } {
  // One key in some hundred that ssh2 makes can't be read again, not even by itself.
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519');
    const key = ssh2.utils.parseKey(pair.private);
    if (!(key instanceof Error)) return { openssh: pair.private, public: key.getPublicSSH() };
  }
}

function parsePublic(blob: Buffer): ParsedKey {
  const key = ssh2.utils.parseKey(`ssh-ed25519 ${blob.toString('base64')}`);
  if (key instanceof Error) throw key;
  return key;
}

export async function startSshServer(options: TestServerOptions = {}): Promise<TestServer> {
  const directory = await mkdtemp(join(tmpdir(), 'keelson-ssh-'));
  const user = generateKey();
  const host = generateKey();
  const allowed: ParsedKey[] = [parsePublic(user.public)];
  const children = new Set<ChildProcess>();
  const sessions = { opened: 0, open: 0, most: 0 };
  const forwards = { opened: 0 };
  const server = new ssh2.Server({ hostKeys: [host.openssh] }, (connection) => {
    connection.on('error', () => undefined);
    connection.on('authentication', (context) => {
      const key =
        context.method === 'publickey'
          ? allowed.find((each) => each.getPublicSSH().equals(context.key.data))
          : undefined;
      if (context.method === 'publickey' && key !== undefined) {
        const valid =
          context.signature === undefined ||
          context.blob === undefined ||
          key.verify(context.blob, context.signature, context.hashAlgo);
        if (valid) return context.accept();
      }
      context.reject(['publickey']);
    });
    connection.on('ready', () => {
      connection.on('session', (accept) => {
        const session = accept();
        sessions.opened += 1;
        sessions.open += 1;
        sessions.most = Math.max(sessions.most, sessions.open);
        session.on('close', () => {
          sessions.open -= 1;
        });
        session.on('exec', (acceptExec, _reject, info) => {
          const child = runShell(
            acceptExec(),
            [...(options.shell ?? ['/bin/sh', '-c']), info.command],
            options.env ?? process.env,
          );
          children.add(child);
          child.on('close', () => children.delete(child));
        });
      });
      connection.on('tcpip', (accept, reject, info) => {
        forwards.opened += 1;
        const socket = connect({ host: info.destIP, port: info.destPort, noDelay: true });
        socket.once('error', () => reject());
        socket.once('connect', () => {
          const channel = accept();
          socket.on('error', () => channel.close());
          channel.on('error', () => undefined);
          channel.pipe(socket).pipe(channel);
          channel.on('close', () => socket.destroy());
        });
      });
    });
  });
  const sockets = new Set<Socket>();
  // Own listener, since ssh2's leaves Nagle's algorithm on.
  const listener = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    if (options.says !== undefined) socket.end(options.says);
    else if (!options.mute) server.injectSocket(socket);
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as AddressInfo;
  await writeFile(join(directory, 'id_ed25519'), user.openssh, { mode: 0o600 });
  const known = `${knownHostsName('127.0.0.1', port)} ssh-ed25519 ${host.public.toString('base64')}\n`;
  await writeFile(join(directory, 'known_hosts'), known);
  const dropAll = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port,
    directory,
    hostKey: host.public,
    userKey: user.public,
    allow: (other) => void allowed.push(parsePublic(other.userKey)),
    freeze: () => {
      for (const socket of sockets) {
        socket.pause();
        socket.removeAllListeners('data');
        socket.write = () => true;
      }
    },
    sessions,
    forwards,
    settings: {
      address: '127.0.0.1',
      port,
      user: options.user ?? 'root',
      identityFile: join(directory, 'id_ed25519'),
      knownHostsFiles: [join(directory, 'known_hosts')],
      jumpHosts: [],
      agent: false,
      useSshConfig: false,
    },
    dropAll,
    close: async () => {
      dropAll();
      for (const child of children) if (child.pid !== undefined) killGroup(child.pid);
      await new Promise<void>((resolve) => listener.close(() => resolve()));
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Like sshd: each command in a session of its own, and its ending told as code or signal. */
function runShell(
  channel: ServerChannel,
  [program = '', ...argv]: readonly string[],
  env: NodeJS.ProcessEnv,
): ChildProcess {
  const child = spawn(program, argv, { detached: true, env, stdio: ['pipe', 'pipe', 'pipe'] });
  channel.on('error', () => undefined);
  child.stdin.on('error', () => undefined);
  channel.pipe(child.stdin);
  child.stdout.on('data', (chunk: Buffer) => {
    if (!channel.write(chunk)) {
      child.stdout.pause();
      channel.once('drain', () => child.stdout.resume());
    }
  });
  child.stderr.on('data', (chunk: Buffer) => channel.stderr.write(chunk));
  child.on('close', (code, signal) => {
    if (signal === null) channel.exit(code ?? 255);
    else channel.exit(signal.replace(/^SIG/, ''));
    channel.end();
  });
  return child;
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}
