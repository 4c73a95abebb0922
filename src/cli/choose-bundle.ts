import { type Bundle, bundleFor, loadBundle } from '../bundle/bundle.js';
import { FILE_TABLE } from '../bundle/file-table.js';
import type { Architecture, BundleLock } from '../bundle/lock.js';
import { upstreamAnswers } from '../bundle/upstream/answers.js';
import { pullBundle } from '../bundle/upstream/pull.js';
import { KeelsonError } from '../errors/keelson-error.js';
import { buildBundleWithProgress } from './build-bundle.js';
import { bundleLine, bundleProgress } from './bundle-progress.js';
import { bundleDir, cacheDir, upstreamDir } from './cache.js';
import type { CliIO, GlobalOptions } from './command.js';
import { webOptions } from './web-options.js';

export interface BundleChoice {
  /** Exact, with leading v. */
  kubernetesVersion: string;
  /** Of the hosts; at least one. */
  architectures: readonly Architecture[];
  /** File that says where official addresses are mirrored. */
  mirrors?: string | undefined;
  /** Only what is here already; nothing is fetched or built. */
  atHand?: boolean;
}

const SOURCES: Readonly<Record<BundleLock['source'], string>> = {
  modules: 'built from modules',
  upstream: 'of the official releases',
};

/**
 * A bundle where none was named: one at hand, else the official releases where they answer, else one that is built
 * from modules. Says which, and why. All of a bundle is of one source: one that fails in the middle is an error.
 * @throws BUNDLE where there is none, and what the source says
 */
export async function chooseBundle(choice: BundleChoice, io: CliIO, global: GlobalOptions): Promise<Bundle> {
  const { kubernetesVersion, architectures } = choice;
  const [architecture = 'amd64', ...others] = architectures;
  const wanted = architectures.join(' and ');
  const say = bundleLine(io, global);
  const upstream = upstreamDir(io, kubernetesVersion, architectures);
  for (const dir of [bundleDir(io, kubernetesVersion), upstream]) {
    const bundle = await loadBundle(dir).catch(() => null);
    if (bundle === null || !isComplete(bundle, choice)) continue;
    say(`${dir} is at hand, ${SOURCES[bundle.lock.source]}`);
    return bundle;
  }
  const none = `no bundle of ${kubernetesVersion} (${wanted}) is at hand`;
  if (choice.atHand === true)
    throw new KeelsonError('BUNDLE', none, {
      hint: 'get one with `keelson bundle pull` or `keelson bundle build`, or name one in spec.bundle',
    });
  const settings = await webOptions(choice.mirrors, io);
  const silent = await upstreamAnswers({ ...choice, architecture, ...settings, signal: io.stop });
  if (silent === null) {
    say(`${none}, and the official releases answer: taking them`);
    return pullBundle({
      kubernetesVersion,
      architecture,
      others,
      ...settings,
      outDir: () => upstream,
      cacheDir: cacheDir(io),
      onEvent: bundleProgress(io, global),
      signal: io.stop,
    });
  }
  if (wanted !== 'amd64')
    throw new KeelsonError('BUNDLE', `${none}, and the official releases do not answer: ${silent}`, {
      hint: `only amd64 can be built from modules; get a bundle with \`keelson bundle pull --arch ${architectures.join(',')}\``,
    });
  say(`${none}, and the official releases do not answer (${silent}): building one from modules`);
  const outDir = bundleDir(io, kubernetesVersion);
  return buildBundleWithProgress({ kubernetesVersion, outDir, installMissing: true }, io, global);
}

/** Of the version and architectures that are wanted, with every program that this keelson knows. */
function isComplete(bundle: Bundle, { kubernetesVersion, architectures }: BundleChoice): boolean {
  const { lock } = bundle;
  if (lock.kubernetesVersion !== kubernetesVersion || lock.imagesBy !== undefined) return false;
  return architectures.every((architecture) => {
    const files = bundleFor(bundle, architecture)?.lock.files ?? [];
    return FILE_TABLE.every(({ name }) => files.some((file) => file.name === name));
  });
}
