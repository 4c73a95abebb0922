import { access, constants, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KeelsonError } from '../errors/keelson-error.js';
import { run, SYSTEM_PATH } from './run.js';

/** Programs that a lab needs, with the Debian package of each. */
const TOOLS: Readonly<Record<string, string>> = {
  debootstrap: 'debootstrap',
  'systemd-nspawn': 'systemd-container',
  ip: 'iproute2',
  ssh: 'openssh-client',
  'ssh-keygen': 'openssh-client',
  unshare: 'util-linux',
  setpriv: 'util-linux',
  mount: 'mount',
};

const executable = (path: string) =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  );

/** Debian packages that `labUp` needs and this computer has not, sorted; empty when all is there. */
export async function missingLabTools(path: string = SYSTEM_PATH): Promise<string[]> {
  const missing = new Set<string>();
  for (const [program, packageName] of Object.entries(TOOLS)) {
    const found = await Promise.all(path.split(':').map((folder) => executable(join(folder, program))));
    if (!found.includes(true)) missing.add(packageName);
  }
  return [...missing].sort();
}

/** Whether `installPackages` can work here: Debian or a child of it. */
export async function isDebian(osRelease = '/etc/os-release'): Promise<boolean> {
  const text = await readFile(osRelease, 'utf8').catch(() => '');
  return /^ID(_LIKE)?=.*\bdebian\b/m.test(text);
}

/** Installs Debian packages, after `apt-get update` where the first try fails. Needs root. */
export async function installPackages(packages: readonly string[], signal?: AbortSignal): Promise<void> {
  const install = ['apt-get', 'install', '--yes', '--no-install-recommends', ...packages];
  const options = { timeoutMs: 600_000, signal };
  try {
    await run(install, options);
  } catch (error) {
    if (!(error instanceof KeelsonError) || error.code !== 'LOCAL_COMMAND') throw error;
    await run(['apt-get', 'update'], options);
    await run(install, options);
  }
}

/** Throws LAB unless this process may make machines here. */
export async function requireLabHost(): Promise<void> {
  requireRoot();
  const missing = await missingLabTools();
  if (missing.length === 0) return;
  throw new KeelsonError('LAB', `programs are missing: ${missing.join(', ')}`, {
    hint: `run: apt-get install -y ${missing.join(' ')}`,
    details: { missing },
  });
}

export function requireRoot(): void {
  if (process.platform === 'linux' && process.getuid?.() === 0) return;
  throw new KeelsonError('LAB', 'lab machines need root on a Linux computer', {
    hint: 'run the same command with sudo, or as root in a virtual machine',
  });
}
