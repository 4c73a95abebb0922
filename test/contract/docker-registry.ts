import { execFile, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import type { Credentials } from '../../src/bundle/registry/client.js';
import { waitUntil } from '../../src/engine/wait.js';
import { webClient } from '../../src/web/client.js';
import { testTls } from './faulty-server.js';

const run = promisify(execFile);

const PROGRAMS = ['docker-registry', 'skopeo', 'htpasswd'];

/** Whether this computer has what a registry takes: Debian's docker-registry, skopeo and apache2-utils. */
export const HAS_REGISTRY = PROGRAMS.every((program) =>
  (process.env.PATH ?? '').split(delimiter).some((folder) => isExecutable(join(folder, program))),
);

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export interface DockerRegistry {
  /** `ADDRESS:PORT` */
  address: string;
  /** CA of its certificate. */
  caFile: string;
  login: Credentials;
  /** Certificate and key of the address, for other servers there. */
  tls: { cert: string; key: string };
  /** An image out of an OCI layout, as skopeo takes it there. */
  copy: (layout: string, reference: string, to: string) => Promise<void>;
  /** What skopeo says of an image there. */
  inspect: (name: string, format: string) => Promise<string>;
  stop: () => void;
}

/** A real docker-registry over TLS, for one user, on an address of this computer; its data lie in `directory`. */
export async function startDockerRegistry(directory: string, host = '127.0.0.1'): Promise<DockerRegistry> {
  const login = { username: 'keelson', password: 'secret' };
  const tls = await testTls(0, [host, '127.0.0.1']);
  const file = (name: string) => join(directory, name);
  // skopeo takes every .crt of a folder as a CA.
  const certs = file('certs');
  await mkdir(certs, { recursive: true });
  for (const [path, text] of [
    [file('ca.crt'), tls.caPem],
    [join(certs, 'ca.crt'), tls.caPem],
    [file('tls.crt'), tls.cert],
    [file('tls.key'), tls.key],
    [file('password'), login.password],
    [file('htpasswd'), (await run('htpasswd', ['-Bbn', login.username, login.password])).stdout],
  ] as const)
    await writeFile(path, text);
  const address = `${host}:${await freePort(host)}`;
  await writeFile(
    file('registry.yml'),
    `version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: ${file('data')}}}
http: {addr: '${address}', tls: {certificate: ${file('tls.crt')}, key: ${file('tls.key')}}}
auth: {htpasswd: {realm: test, path: ${file('htpasswd')}}}
`,
  );
  const child = spawn('docker-registry', ['serve', file('registry.yml')], { stdio: 'ignore' });
  const web = webClient({ caFiles: new Map([[`https://${address}`, file('ca.crt')]]) });
  try {
    await waitUntil(
      async () => {
        const answer = await web.request(`https://${address}/v2/`).catch(() => null);
        await answer?.body.dump();
        return { met: answer?.status === 401, state: 'silent' };
      },
      { for: 'the registry', deadlineMs: 30_000, signal: new AbortController().signal },
    );
  } finally {
    await web.close();
  }
  const creds = `${login.username}:${login.password}`;
  return {
    address,
    caFile: file('ca.crt'),
    login,
    tls,
    copy: async (layout, reference, to) => {
      const target = ['--dest-cert-dir', certs, '--dest-creds', creds];
      await run('skopeo', ['copy', ...target, `oci:${layout}:${reference}`, `docker://${address}/${to}`]);
    },
    inspect: async (name, format) => {
      const source = ['--cert-dir', certs, '--creds', creds];
      const image = `docker://${address}/${name}`;
      return (await run('skopeo', ['inspect', '--format', format, ...source, image])).stdout.trim();
    },
    stop: () => void child.kill(),
  };
}

async function freePort(host: string): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
