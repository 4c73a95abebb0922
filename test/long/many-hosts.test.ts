import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { finishDirectory } from '../../src/bundle/directory.js';
import type { ClusterConfig } from '../../src/config/types.js';
import { installKubelet } from '../../src/phases/kubelet/install.js';
import { containerd } from '../../src/phases/runtime/containerd.js';
import { applyCluster } from '../../src/workflows/apply.js';
import { changesIn, makePlan } from '../../src/workflows/plan.js';
import { openSession } from '../../src/workflows/session.js';
import { FLEET, fleetCluster, smallPrograms, VERSION } from '../contract/fleet-cluster.js';
import { SSHD_MISSING, type SshdFleet, startSshdFleet } from '../contract/sshd-fleet.js';

const COUNT = 100;
/** What comes before anything of Kubernetes runs. */
const PHASES = [containerd, installKubelet];

let fleet: SshdFleet;
let directory: string;
let config: ClusterConfig;

describe.skipIf(SSHD_MISSING !== undefined)(
  `${COUNT} hosts, each an OpenSSH server with files of its own`,
  () => {
    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'keelson-many-'));
      const files = await smallPrograms(join(directory, 'bundle'));
      await finishDirectory(join(directory, 'bundle'), {
        formatVersion: 1,
        kubernetesVersion: VERSION,
        architecture: 'amd64',
        source: 'modules',
        toolchain: { go: '', gcc: '' },
        components: [],
        packages: [],
        files,
        images: [],
      });
      fleet = await startSshdFleet(COUNT, { ...FLEET, connect: false });
      config = await fleetCluster(directory, fleet);
    });
    afterAll(async () => {
      await fleet.close();
      await rm(directory, { recursive: true, force: true });
    });

    it('are planned and applied for the phases that need no Kubernetes, and a second time nothing is to do', async () => {
      const started = performance.now();
      const session = await openSession({ config, bundleCache: directory });
      try {
        const plan = await makePlan(session, { phases: PHASES });
        expect(plan.tasks).toHaveLength(COUNT * PHASES.length);
        expect(plan.tasks.every(({ standing }) => standing === 'missing')).toBe(true);
        const planned = performance.now();
        const result = await applyCluster(session, { phases: PHASES, preflight: false, owner: 'test' });
        expect(result.changed).toBe(changesIn(plan));
        const applied = performance.now();
        const again = await applyCluster(session, { phases: PHASES, preflight: false, owner: 'test' });
        expect(again.changed).toBe(0);
        const { rss } = process.memoryUsage();
        const seconds = (from: number, to: number) => `${((to - from) / 1000).toFixed(1)} s`;
        console.log(
          `figure: ${COUNT} hosts: connected and planned ${seconds(started, planned)}, applied ${seconds(planned, applied)} (${result.changed} changes), again ${seconds(applied, performance.now())}; ${Math.round(rss / 2 ** 20)} MiB`,
        );
      } finally {
        await session.close();
      }
    });
  },
);
