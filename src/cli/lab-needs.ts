import { resolve } from 'node:path';
import type { Bundle } from '../bundle/bundle.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { installPackages, isDebian, missingLabTools } from '../lab/tools.js';
import { bundleArgument } from './bundle-options.js';
import { DEFAULT_KUBERNETES_VERSION } from './cache.js';
import { chooseBundle } from './choose-bundle.js';
import type { CliIO, GlobalOptions } from './command.js';

/** Lab machines run on this computer. */
const localArchitecture = () => (process.arch === 'arm64' ? 'arm64' : 'amd64');

/**
 * How to get the bundle that was named, or one that is chosen, with its path for a cluster file. A named one is
 * looked at at once.
 * @throws USAGE for a bundle of another version than asked for
 */
export async function labBundle(
  {
    bundle: path,
    kubernetesVersion: asked,
  }: { bundle: string | undefined; kubernetesVersion: string | undefined },
  io: CliIO,
  global: GlobalOptions,
): Promise<() => Promise<{ bundle: Bundle; path: string }>> {
  const version = asked === undefined || asked.startsWith('v') ? asked : `v${asked}`;
  if (path === undefined) {
    const kubernetesVersion = version ?? DEFAULT_KUBERNETES_VERSION;
    return async () => {
      const bundle = await chooseBundle(
        { kubernetesVersion, architectures: [localArchitecture()] },
        io,
        global,
      );
      return { bundle, path: bundle.dir };
    };
  }
  const bundle = await bundleArgument(path, io);
  const { lock } = bundle;
  if (version === undefined || version === lock.kubernetesVersion)
    return async () => ({ bundle, path: resolve(io.cwd, path) });
  throw new KeelsonError('USAGE', `${path} is of Kubernetes ${lock.kubernetesVersion}, not ${version}`, {
    hint: 'leave --kubernetes-version out, or name another bundle',
  });
}

/** Programs that machines of this computer are made with, where they are missing and can be had. */
export async function installLabTools(io: CliIO): Promise<void> {
  const missing = await missingLabTools();
  if (missing.length === 0 || !(await isDebian())) return;
  io.stderr.write(`lab: installing ${missing.join(', ')}\n`);
  await installPackages(missing, io.stop);
}
