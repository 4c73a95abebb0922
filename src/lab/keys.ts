import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from './run.js';
import type { LabNode } from './types.js';

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );

export interface KeyPair {
  privateKey: string;
  publicKey: string;
}

/** The ed25519 pair at `path` and `path.pub` (OpenSSH, no passphrase, 0600), made where there is none. */
export async function keyPair(path: string, comment: string): Promise<KeyPair> {
  if (!(await exists(path)) || !(await exists(`${path}.pub`))) {
    await mkdir(dirname(path), { recursive: true });
    await rm(path, { force: true });
    await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', path]);
  }
  const [privateKey, publicKey] = await Promise.all([
    readFile(path, 'utf8'),
    readFile(`${path}.pub`, 'utf8'),
  ]);
  return { privateKey, publicKey };
}

/** known_hosts for keys that were made here: nothing is ever trusted on first use. */
export function knownHostsText(nodes: readonly LabNode[], publicKeys: ReadonlyMap<string, string>): string {
  return nodes
    .map((node) => {
      const [type, key] = (publicKeys.get(node.name) ?? '').split(' ');
      return `${node.address} ${type} ${key?.trim()}\n`;
    })
    .join('');
}

/** Paths of what a lab's user needs, below the lab's directory. */
export function userFiles(directory: string) {
  return {
    identity: join(directory, 'id_ed25519'),
    knownHosts: join(directory, 'known_hosts'),
    cluster: join(directory, 'cluster.yaml'),
  };
}

/** Writes known_hosts (0644) unless it is so already. */
export async function writeKnownHosts(path: string, text: string): Promise<void> {
  const current = await readFile(path, 'utf8').catch(() => '');
  if (current !== text) await writeFile(path, text, { mode: 0o644 });
}
