import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { bundleServer } from '../../bundle/serve/server.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { bundleArgument } from '../bundle-options.js';
import { bundleLine } from '../bundle-progress.js';
import { type CliIO, defineCommand } from '../command.js';

export const command = defineCommand({
  name: 'bundle serve',
  summary: 'this machine as a registry and file server of bundles',
  details: `Read-only, until interrupted. Images as /v2/ (also as a mirror: containerd says for which registry it asks), programs as
/release/VERSION/bin/linux/ARCH/NAME and /files/NAME, each with .sha256. Nothing is taken.`,
  arguments: '[bundles...]',
  options: {
    listen: {
      flags: '--listen <address>',
      description: 'address and port; :5000 for all addresses',
      kind: 'string',
      default: '127.0.0.1:5000',
    },
    tlsCert: { flags: '--tls-cert <file>', description: 'certificate in PEM', kind: 'string' },
    tlsKey: { flags: '--tls-key <file>', description: 'its key', kind: 'string' },
    username: { flags: '--username <name>', description: 'only for this user', kind: 'string' },
    passwordFile: { flags: '--password-file <file>', description: 'file with the password', kind: 'string' },
  },
  run: async ({ args, options, io, global }) => {
    const { host, port } = listenAddress(options.listen);
    const { tlsCert, tlsKey, username, passwordFile } = options;
    const [cert, key, password] = await Promise.all(
      [tlsCert, tlsKey, passwordFile].map((file) => textOf(file, io)),
    );
    if ((cert === undefined) !== (key === undefined) || (username === undefined) !== (password === undefined))
      throw new KeelsonError('USAGE', 'half of a pair is missing', {
        hint: 'say --tls-cert with --tls-key, and --username with --password-file',
      });
    const bundles = await Promise.all(
      (args.length === 0 ? [undefined] : args).map((path) => bundleArgument(path, io)),
    );
    const write = bundleLine(io, global);
    const server = bundleServer(bundles, {
      ...(cert === undefined || key === undefined ? {} : { tls: { cert, key } }),
      ...(username === undefined || password === undefined
        ? {}
        : { credentials: { username, password: password.replace(/\r?\n$/, '') } }),
      onRequest: (line) => {
        if (global.verbose) write(line);
      },
    });
    server.listen(port, ...(host === '' ? [] : [host.replace(/^\[(.*)\]$/, '$1')]));
    await once(server, 'listening').catch((cause: NodeJS.ErrnoException) => {
      throw new KeelsonError('USAGE', `${options.listen}: can't be listened on (${cause.code})`, {
        cause,
        hint: 'name another address or port with --listen',
      });
    });
    const { port: actual } = server.address() as AddressInfo;
    write(
      `${cert === undefined ? 'http' : 'https'}://${host === '' ? '*' : host}:${actual}: ${bundles.map(({ dir }) => dir).join(', ')}`,
    );
    if (!io.stop.aborted) await once(io.stop, 'abort');
    server.closeAllConnections();
    server.close();
    return { data: {}, text: '' };
  },
});

async function textOf(file: string | undefined, io: CliIO): Promise<string | undefined> {
  if (file === undefined) return undefined;
  return readFile(resolve(io.cwd, file), 'utf8').catch((cause: unknown) => {
    throw new KeelsonError('USAGE', `${file}: can't be read`, { cause, hint: 'name a file that is there' });
  });
}

/** `127.0.0.1:5000`, `[::1]:5000`, or `:5000` for all addresses, which gives host ''. @throws USAGE */
function listenAddress(text: string): { host: string; port: number } {
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(text) ?? [];
  if (port !== '' && Number(port) <= 65_535) return { host, port: Number(port) };
  throw new KeelsonError(
    'USAGE',
    `--listen ${text}: ${port === '' ? 'has no port' : 'there is no such port'}`,
    {
      hint: 'write 127.0.0.1:5000, or :5000 for all addresses',
    },
  );
}
