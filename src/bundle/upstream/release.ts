import { z } from 'zod';
import { KeelsonError } from '../../errors/keelson-error.js';
import { RELEASES, type Release } from '../releases.js';
import { readYamlFile } from '../yaml-file.js';

/** Versions of everything that goes with one Kubernetes version, as the projects release them. */
export type UpstreamRelease = Release;

const version = z.string().regex(/^[\w][\w.+-]*$/, 'expected a version');
const schema = z.record(
  z.string().regex(/^v\d+\.\d+(?:\.\d+)?$/, 'expected a version such as v1.36 or v1.36.3'),
  z.strictObject({
    etcd: version.optional(),
    coredns: version.optional(),
    pause: version.optional(),
    agnhost: version.optional(),
    flannel: version.optional(),
    flannelCniPlugin: version.optional(),
    cniPlugins: version.optional(),
    containerd: version.optional(),
    runc: version.optional(),
  }),
);

/** Versions by Kubernetes version, exact or minor; what an entry leaves out is as keelson knows it. */
export type Versions = Readonly<Record<string, Partial<UpstreamRelease>>>;

/** flannel's plugin of that flannel release; its Go module has other versions than its releases. */
const FLANNEL_CNI_PLUGIN = 'v1.9.1-flannel3';

/**
 * Component versions of a Kubernetes version: those of the versions file, then those known for exactly that
 * version, then those of the newest patch release known of its minor version.
 * @throws KeelsonError BUNDLE for a minor version of which nothing is known
 */
export function upstreamRelease(kubernetesVersion: string, versions: Versions = {}): UpstreamRelease {
  const minor = kubernetesVersion.split('.').slice(0, 2).join('.');
  const given = { ...versions[minor], ...versions[kubernetesVersion] };
  const known = RELEASES[kubernetesVersion] ?? newestOf(minor);
  const stated = Object.entries(given).filter(([, value]) => value !== undefined);
  const whole = { ...known, flannelCniPlugin: FLANNEL_CNI_PLUGIN, ...Object.fromEntries(stated) };
  const lacking = Object.keys(schema.valueType.shape).filter((name) => !(name in whole));
  if (lacking.length === 0) return whole as UpstreamRelease;
  throw new KeelsonError(
    'BUNDLE',
    `the versions of ${lacking.join(', ')} for Kubernetes ${kubernetesVersion} are not known`,
    {
      hint: `name them in a file with --versions; kubeadm config images list of that version prints them. Known are ${Object.keys(RELEASES).join(', ')} and other patch releases of these`,
    },
  );
}

function newestOf(minor: string): Release | undefined {
  const patches = Object.keys(RELEASES).filter((known) => known.startsWith(`${minor}.`));
  const [newest] = patches.sort((a, b) => patchOf(b) - patchOf(a));
  return newest === undefined ? undefined : RELEASES[newest];
}

function patchOf(kubernetesVersion: string): number {
  return Number(/\.(\d+)$/.exec(kubernetesVersion)?.[1] ?? 0);
}

/** Reads a versions file. @throws KeelsonError CONFIG naming the field that is wrong */
export async function readVersions(file: string): Promise<Versions> {
  const rows = await readYamlFile(file, schema);
  return Object.fromEntries(
    Object.entries(rows).map(([key, row]) => [
      key,
      Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined)),
    ]),
  );
}
