import type { BundleLock } from '../../../../src/bundle/lock.js';
import type { ClusterConfig, ResolvedHost } from '../../../../src/config/types.js';
import type { HostFacts, ReadResult } from '../../../../src/host/types.js';
import type { Check, Outcome, Severity, Subject } from '../../../../src/phases/preflight/check.js';
import { CP1, config } from '../../manifests/fixture.js';

export const FACTS: HostFacts = {
  hostname: 'cp1',
  os: { id: 'debian', versionId: '12', prettyName: 'Debian GNU/Linux 12 (bookworm)' },
  kernel: '6.1.0-25-amd64',
  architecture: 'x86_64',
  cgroupVersion: 2,
  systemd: 252,
  machineId: 'a'.repeat(32),
  productUuid: '',
  cpus: 2,
  memoryBytes: 4 * 1024 ** 3,
  swapBytes: 0,
  clockSkewMs: 0,
  roundTripMs: 2,
  addresses: [{ interface: 'eth0', address: CP1.nodeIP, prefix: 24, mtu: 1500 }],
  defaultRoute: { interface: 'eth0', address: CP1.nodeIP },
  uid: 0,
};

const MIB = 1024 ** 2;

/** A bundle of one binary (60 MiB, all), one image of a control plane (100 MiB) and the probe image. */
export const LOCK: BundleLock = {
  formatVersion: 1,
  kubernetesVersion: 'v1.36.3',
  architecture: 'amd64',
  source: 'modules',
  toolchain: { go: '', gcc: '' },
  components: [],
  packages: [],
  files: [
    {
      name: 'kubelet',
      path: '/usr/bin/kubelet',
      mode: 0o755,
      sha256: '1'.repeat(64),
      size: 60 * MIB,
      version: 'v1.36.3',
      roles: ['control-plane', 'worker'],
    },
  ],
  images: [image('kube-apiserver', '2', 100 * MIB, ['control-plane']), image('agnhost', '3', 900 * MIB)],
};

function image(
  name: string,
  digit: string,
  size: number,
  roles: ('control-plane' | 'worker')[] = ['control-plane', 'worker'],
): BundleLock['images'][number] {
  const sha256 = digit.repeat(64);
  const mediaType = 'application/vnd.oci.image.layer.v1.tar';
  return {
    name,
    reference: name,
    digest: `sha256:${sha256}`,
    size: 1,
    roles,
    blobs: [{ sha256, size, mediaType }],
  };
}

export interface Scene {
  host?: ResolvedHost;
  config?: ClusterConfig;
  facts?: Partial<HostFacts>;
  lock?: Partial<BundleLock>;
  /** What the check's own probes printed. */
  probes?: Record<string, string | { code: number; stdout: string }>;
  member?: boolean;
  clusterExists?: boolean;
  clusterCa?: string | null;
  standing?: Partial<Subject['standing']>;
}

export function seen(probes: Scene['probes'] = {}): ReadResult {
  const results = Object.entries(probes).map(([name, said]) => {
    return [name, typeof said === 'string' ? { code: 0, stdout: said } : said] as const;
  });
  return { files: new Map(), units: new Map(), probes: new Map(results) };
}

/** A sound first control plane before it joins, changed as the scene says. */
export function subject(scene: Scene = {}): Subject {
  const host = scene.host ?? CP1;
  return {
    config: scene.config ?? config(),
    host,
    lock: { ...LOCK, ...scene.lock },
    first: host.name === CP1.name,
    facts: {
      ...FACTS,
      hostname: host.name,
      machineId: host.name.padEnd(32, '0'),
      addresses: [{ interface: 'eth0', address: host.nodeIP, prefix: 24, mtu: 1500 }],
      ...scene.facts,
    },
    seen: seen(scene.probes),
    member: scene.member ?? false,
    standing: { journal: false, ca: null, kubeletCa: null, ...scene.standing },
    clusterCa: scene.clusterCa ?? null,
    clusterExists: scene.clusterExists ?? false,
  };
}

/** What a check says of a host, alone or among others. */
export function judge(check: Check, scene: Scene = {}, others: readonly Subject[] = []): Outcome[] {
  const self = subject(scene);
  return check.judge(self, [self, ...others]);
}

/** `severity name` of every outcome that is not ok. */
export function problems(outcomes: readonly Outcome[]): string[] {
  return outcomes
    .filter(({ severity }) => severity !== 'ok')
    .map(({ severity, check }) => `${severity} ${check}`);
}

/** The one outcome of that name and severity. */
export function one(outcomes: readonly Outcome[], check: string, severity: Severity): Outcome {
  const found = outcomes.filter((outcome) => outcome.check === check && outcome.severity === severity);
  const [first] = found;
  if (first === undefined || found.length > 1)
    throw new Error(`${found.length} outcomes ${severity} ${check} in ${JSON.stringify(outcomes)}`);
  return first;
}
