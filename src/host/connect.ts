import { connect as connectSocket, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { NodeSSH } from 'node-ssh';
import type { Client } from 'ssh2';
import { KeelsonError } from '../errors/keelson-error.js';
import { type Authentication, type Credentials, prepareAuthentication } from './authentication.js';
import { connectError, type Heard, notSsh, silence } from './connect-errors.js';
import { type Connection, watchConnection } from './connection.js';
import { type Deadline, deadline } from './deadline.js';
import { prepareHostKeyCheck } from './host-key.js';
import { type ConnectOptions, SLOW_MS, type SshSettings } from './settings.js';
import { DEFAULT_IDENTITIES, parseJumpHost, readSshConfig, withSshConfig } from './ssh-config.js';
import { createSshHost } from './ssh-host.js';
import type { Host } from './types.js';

const CONNECT_TIMEOUT_MS = 15_000;
const KEEPALIVE_INTERVAL_MS = 10_000;

interface Hop {
  address: string;
  port: number;
  user: string;
  pin?: string | undefined;
}

interface Route {
  hops: Hop[];
  identityFile: string | undefined;
  defaultIdentities: string[];
  agentSocket: string | undefined;
  knownHostsFiles: string[];
}

/**
 * Connects to a machine, through its jump hosts, and logs in. One connection a host; close it with `close()`.
 * @param name the host's name in the inventory
 * Errors: CONNECTION (refused, unreachable, DNS, time-out), AUTHENTICATION, HOST_KEY, CONFIG (key files), ABORTED.
 */
export async function connectHost(
  settings: SshSettings,
  name: string,
  options: ConnectOptions = {},
): Promise<Host> {
  const route = await planRoute(settings, name, options);
  const opened: Connection[] = [];
  const closeAll = async (): Promise<void> => {
    for (const connection of opened.splice(0).reverse()) await connection.close();
  };
  try {
    for (const hop of route.hops) {
      const through = opened.at(-1);
      opened.push(await connectHop(hop, route, name, options, through));
    }
  } catch (error) {
    await closeAll();
    throw error;
  }
  const last = opened.pop();
  if (last === undefined) throw new KeelsonError('BUG', 'a route without hops', { host: name });
  last.onLost(() => void closeAll());
  return createSshHost(last, {
    user: route.hops.at(-1)?.user ?? settings.user,
    sudoPassword: options.sudoPassword,
    onEvent: options.onEvent,
  });
}

async function planRoute(settings: SshSettings, name: string, options: ConnectOptions): Promise<Route> {
  const client = settings.useSshConfig ? await readSshConfig(settings.address) : null;
  const resolved = client === null ? settings : withSshConfig(settings, client);
  const jumps = await Promise.all(resolved.jumpHosts.map((text) => jumpHop(text, name, resolved)));
  const agentSocket =
    client?.identityAgent === undefined ? options.agentSocket : (client.identityAgent ?? undefined);
  const target: Hop = {
    address: resolved.address,
    port: resolved.port,
    user: resolved.user,
    pin: resolved.hostKeyFingerprint,
  };
  return {
    hops: [...jumps, target],
    identityFile: resolved.identityFile,
    defaultIdentities: client?.identityFiles ?? DEFAULT_IDENTITIES,
    agentSocket: resolved.agent ? agentSocket : undefined,
    knownHostsFiles: resolved.knownHostsFiles,
  };
}

/** A jump host may be an alias of ssh's configuration; what its own text says comes first. */
async function jumpHop(text: string, name: string, settings: SshSettings): Promise<Hop> {
  const jump = parseJumpHost(text);
  if (jump === null) {
    throw new KeelsonError('CONFIG', `${text} is no jump host`, {
      host: name,
      hint: 'write it as [user@]host[:port]',
    });
  }
  const client = settings.useSshConfig ? await readSshConfig(jump.host) : null;
  return {
    address: client?.hostname ?? jump.host,
    port: jump.port ?? client?.port ?? 22,
    user: jump.user ?? client?.user ?? settings.user,
  };
}

async function connectHop(
  hop: Hop,
  route: Route,
  name: string,
  options: ConnectOptions,
  through: Connection | undefined,
): Promise<Connection> {
  const target = `${hop.user}@${hop.address}:${hop.port}`;
  const limitMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
  const heard: Heard = { open: false, words: null };
  const limit = deadline(limitMs, options.signal, () => silence(limitMs, heard), {
    afterMs: SLOW_MS,
    say: () =>
      options.onEvent?.({
        type: 'slow',
        host: name,
        awaited: `an answer of ${target}`,
        waitedMs: SLOW_MS,
        limitMs,
      }),
  });
  let socket: Duplex | undefined;
  let authentication: Authentication | undefined;
  let refused: unknown;
  try {
    const hostKey = await prepareHostKeyCheck({
      name,
      address: hop.address,
      port: hop.port,
      knownHostsFiles: route.knownHostsFiles,
      pin: hop.pin,
      acceptNew: options.acceptNewHostKeys ?? false,
      onEvent: options.onEvent,
    });
    authentication = await limit.race(prepareAuthentication(credentials(hop, route, options, limit)));
    for (const reason of authentication.attempts.skipped) {
      options.onEvent?.({ type: 'credential-skipped', host: name, reason });
    }
    socket =
      through === undefined
        ? await openSocket(hop, limit)
        : await limit.race(through.forward(hop.address, hop.port));
    heard.open = true;
    const ssh = new NodeSSH();
    const ready = ssh.connect({
      sock: socket as Socket,
      username: hop.user,
      authHandler: authentication.handler,
      algorithms: { serverHostKey: hostKey.algorithms },
      hostVerifier: (key: Buffer, verify: (valid: boolean) => void) => {
        hostKey.verify(key).then(
          () => verify(true),
          (error) => {
            refused = error;
            verify(false);
          },
        );
      },
      readyTimeout: 0,
      keepaliveInterval: options.keepaliveIntervalMs ?? KEEPALIVE_INTERVAL_MS,
      keepaliveCountMax: 3,
    });
    // Behind ssh2's own listener, in the same turn: no byte comes in between.
    socket.once('data', (chunk: Buffer) => {
      heard.words = chunk;
    });
    // node-ssh takes its error listener off when it is ready, and has none for what comes after a failure.
    ssh.connection?.on('error', () => undefined);
    await limit.race(ready);
    return watchConnection(readyClient(ssh, name), name, () => socket?.destroy());
  } catch (error) {
    socket?.destroy();
    const attempts = authentication?.attempts;
    // A key that could not be loaded is the better explanation where nothing else was tried.
    const failure = refused ?? (attempts?.tried.length === 0 ? authentication?.failure() : undefined);
    throw connectError(name, target, failure ?? notSsh(heard) ?? error, attempts);
  } finally {
    limit.stop();
  }
}

function credentials(hop: Hop, route: Route, options: ConnectOptions, limit: Deadline): Credentials {
  const { passphrase } = options;
  return {
    user: hop.user,
    identityFile: route.identityFile,
    defaultIdentities: route.defaultIdentities,
    agentSocket: route.agentSocket,
    // A person at a prompt may be slower than a network.
    passphrase: passphrase === undefined ? undefined : (file) => limit.paused(() => passphrase(file)),
  };
}

function readyClient(ssh: NodeSSH, name: string): Client {
  if (ssh.connection === null) {
    throw new KeelsonError('CONNECTION', 'the SSH server closed the connection at once', { host: name });
  }
  return ssh.connection;
}

async function openSocket(hop: Hop, limit: Deadline): Promise<Socket> {
  // Nagle's algorithm costs 40 ms a command: off from the start.
  const socket = connectSocket({ host: hop.address, port: hop.port, noDelay: true, keepAlive: true });
  try {
    await limit.race(
      new Promise<void>((resolve, reject) => {
        socket.once('connect', resolve);
        socket.once('error', reject);
      }),
    );
  } catch (error) {
    socket.on('error', () => undefined);
    socket.destroy();
    throw error;
  }
  return socket;
}
