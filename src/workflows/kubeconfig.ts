import { mkdir, open, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { KeelsonError, toKeelsonError } from '../errors/keelson-error.js';
import { localServerUrl } from '../pki/endpoint.js';
import { readKubeconfig, withServer } from '../pki/kubeconfig.js';
import { mergeKubeconfig } from './merge-kubeconfig.js';
import type { Session } from './session.js';

const ADMIN_CONF = '/etc/kubernetes/admin.conf';

/**
 * The admin kubeconfig as it stands on the first control plane, with a server that can be reached from elsewhere.
 * A secret.
 * @throws CONFLICT where the cluster has none yet
 */
export async function adminKubeconfig(session: Session): Promise<string> {
  const { first, config } = session.context;
  const seen = await session.effects.host(first.name).read({ files: [ADMIN_CONF] });
  const content = seen.files.get(ADMIN_CONF)?.content;
  if (content === undefined) {
    throw new KeelsonError('CONFLICT', `${ADMIN_CONF} is not there yet`, {
      host: first.name,
      hint: 'run keelson apply first',
    });
  }
  const text = content.toString('utf8');
  if (config.spec.endpoint?.provider !== 'node-local') return text;
  return withServer(text, ADMIN_CONF, localServerUrl(first));
}

export interface SaveOptions {
  replace: boolean;
  use: boolean;
  /** Add to what the file has; otherwise the file is this kubeconfig alone. */
  merge: boolean;
}

/**
 * Writes a kubeconfig to a file of the operator's, mode 0600, whole or not at all, under the lock that kubectl
 * takes too. A symbolic link stays one.
 * @returns whether the file was changed
 * @throws CONFLICT where something else would be overwritten; LOCKED while kubectl writes the file
 */
export async function saveKubeconfig(text: string, path: string, options: SaveOptions): Promise<boolean> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  return rewriteFile(path, (before) => {
    const after = options.merge ? mergeKubeconfig(before, text, { ...options, file: path }) : text;
    if (!options.merge && before !== '' && before !== after && !options.replace) {
      throw new KeelsonError('CONFLICT', `${path} exists and says something else`, {
        hint: 'add to it with --merge, or overwrite it with --replace',
      });
    }
    return after;
  });
}

/**
 * Edits a kubeconfig of the operator's, mode 0600, whole or not at all, under the lock that kubectl takes too. A
 * symbolic link stays one.
 * @param edit from the text, '' where there is no file, to the new one; '' for no file
 * @returns whether the file was changed
 * @throws LOCKED while another program writes the file
 */
export async function rewriteFile(path: string, edit: (before: string) => string): Promise<boolean> {
  const file = await realpath(path).catch(() => path);
  const lock = `${file}.lock`;
  const held = await open(lock, 'wx', 0o600).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'EEXIST') throw toKeelsonError(cause, file);
    throw new KeelsonError('LOCKED', `${file} is locked by another program`, {
      cause,
      hint: `try again; where nothing writes it, remove ${lock}`,
    });
  });
  const staged = `${file}.keelson-${process.pid}`;
  try {
    const before = await readFile(file, 'utf8').catch(missingIsEmpty);
    const after = edit(before);
    if (before === after) return false;
    await writeFile(staged, after, { mode: 0o600, flag: 'wx' });
    await rename(staged, file);
    return true;
  } finally {
    await rm(staged, { force: true });
    await held.close();
    await rm(lock, { force: true });
  }
}

function missingIsEmpty(error: unknown): string {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
  throw error;
}

/** Whether something listens at a kubeconfig's server, seen from this machine, within a second. */
export async function isReachable(text: string): Promise<{ server: string; reachable: boolean }> {
  const { server } = readKubeconfig(text, 'admin');
  const { hostname, port } = new URL(server);
  const reachable = await new Promise<boolean>((resolve) => {
    const socket = connect({ host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port || 443) });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1000, () => end(false));
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
  return { server, reachable };
}
