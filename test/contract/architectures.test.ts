import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { finishDirectory } from '../../src/bundle/directory.js';
import type { BundleFile } from '../../src/bundle/lock.js';
import type { ClusterConfig } from '../../src/config/types.js';
import type { Host } from '../../src/host/types.js';
import { installKubelet } from '../../src/phases/kubelet/install.js';
import { containerd } from '../../src/phases/runtime/containerd.js';
import { applyCluster } from '../../src/workflows/apply.js';
import { openSession, type Session } from '../../src/workflows/session.js';
import { FLEET, fleetCluster, smallPrograms, VERSION } from './fleet-cluster.js';
import { SSHD_MISSING, type SshdFleet, startSshdFleet } from './sshd-fleet.js';

const PHASES = [containerd, installKubelet];

/** Says of a host's processor what that file says. */
const MACHINE = '/etc/keelson-machine';
const UNAME = `#!/bin/sh
echo "6.1.0 $(cat ${MACHINE} 2>/dev/null || echo x86_64)"`;

let fleet: SshdFleet;
let directory: string;
let config: ClusterConfig;
let amd64: BundleFile[];
let arm64: BundleFile[];

const digest = async (host: Host): Promise<string> =>
  (await host.exec(['sh', '-c', 'sha256sum /usr/bin/kubelet | cut -c1-64'])).stdout.toString().trim();
const kubelet = (files: readonly BundleFile[]) => files.find(({ name }) => name === 'kubelet')?.sha256;
const is = (host: Host | undefined, machine: string) =>
  host?.put([{ path: MACHINE, mode: 0o644, content: Buffer.from(machine) }]);

async function withSession<T>(work: (session: Session) => Promise<T>): Promise<T> {
  const session = await openSession({ config, bundleCache: directory });
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}
const apply = () =>
  withSession((session) =>
    applyCluster(session, { phases: PHASES, preflight: false, owner: 'test', run: 'apply' }),
  );

describe.skipIf(SSHD_MISSING !== undefined)('hosts of two architectures and one bundle', () => {
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'keelson-architectures-'));
    const bundle = join(directory, 'bundle');
    amd64 = await smallPrograms(bundle);
    arm64 = await smallPrograms(bundle, ' of arm64');
    await finishDirectory(bundle, {
      formatVersion: 1,
      kubernetesVersion: VERSION,
      architecture: 'amd64',
      source: 'upstream',
      toolchain: { go: '', gcc: '' },
      components: [],
      packages: [],
      files: amd64,
      images: [],
      others: [{ architecture: 'arm64', components: [], files: arm64, images: [] }],
    });
    const programs = { ...FLEET.programs, '/usr/bin/uname': UNAME };
    fleet = await startSshdFleet(3, { ...FLEET, programs });
    config = await fleetCluster(directory, fleet);
  });
  afterAll(async () => {
    await fleet.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('are refused before anything is changed anywhere where it is not for one of them', async () => {
    await is(fleet.hosts[1], 'aarch64');
    await is(fleet.hosts[2], 'riscv64');
    await expect(apply()).rejects.toMatchObject({
      code: 'BUNDLE',
      host: 'w2',
      message: 'the host is riscv64, the bundle is for amd64 and arm64',
    });
    for (const host of fleet.hosts) expect(await digest(host)).toBe('');
  });

  it('get what is of their own', async () => {
    await is(fleet.hosts[2], 'x86_64');
    expect((await apply()).changed).toBeGreaterThan(0);
    expect(await Promise.all(fleet.hosts.map(digest))).toEqual([amd64, arm64, amd64].map(kubelet));
    expect((await apply()).changed).toBe(0);
  });
});
