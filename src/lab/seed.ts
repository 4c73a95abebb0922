import { chmod, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gatewaysOf } from './address-plan.js';
import { DISKS, nodeLayout } from './layout.js';
import { nodeFiles, nodeLinks, type SeedFile } from './node-files.js';
import type { LabNode, LabState } from './types.js';

export interface NodeKeys {
  /** OpenSSH private and public key of the machine's sshd. */
  hostKey: { privateKey: string; publicKey: string };
  /** Public half of the lab user's key. */
  clientPublicKey: string;
}

/**
 * Writes a machine's own files into its overlay and makes its disks. Only for a machine that is not running:
 * what lies under a mounted overlay must not be changed from outside. Repeating it changes nothing.
 */
export async function seedNode(
  stateRoot: string,
  state: LabState,
  node: LabNode,
  keys: NodeKeys,
): Promise<void> {
  const layout = nodeLayout(stateRoot, state.name, node.name);
  const directories = [layout.root, layout.upper, layout.work, layout.signals];
  for (const directory of [...directories, ...DISKS.map((disk) => join(layout.disks, disk))]) {
    await openDirectory(directory);
  }
  const files: SeedFile[] = [
    ...nodeFiles(node, gatewaysOf(state)),
    { path: 'etc/ssh/ssh_host_ed25519_key', mode: 0o600, text: keys.hostKey.privateKey },
    { path: 'etc/ssh/ssh_host_ed25519_key.pub', mode: 0o644, text: keys.hostKey.publicKey },
    { path: 'root/.ssh/authorized_keys', mode: 0o600, text: keys.clientPublicKey },
  ];
  for (const file of files) {
    const path = join(layout.upper, file.path);
    await openDirectory(dirname(path));
    await rm(path, { force: true });
    await writeFile(path, file.text, { mode: file.mode });
    await chmod(path, file.mode);
  }
  // A directory in the upper layer hides the base's modes, and root's home is private there.
  await chmod(join(layout.upper, 'root'), 0o700);
  await chmod(join(layout.upper, 'root/.ssh'), 0o700);
  for (const link of nodeLinks()) {
    const path = join(layout.upper, link.path);
    await openDirectory(dirname(path));
    await rm(path, { force: true });
    await symlink(link.target, path);
  }
}

/** Makes a directory that every user of the machine can read, whatever this process's umask is. */
async function openDirectory(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return;
  for (let made = path; made.length >= first.length; made = dirname(made)) await chmod(made, 0o755);
}
