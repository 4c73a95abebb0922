import { memberHosts, memberSettings } from '../../config/inventory.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { quote } from '../../host/quote.js';
import type { HostReader, ReadResult } from '../../host/types.js';
import { etcdImage } from '../../manifests/image-names.js';
import { etcdPeerUrl } from '../../manifests/static-pods/etcd.js';
import type { PhaseContext } from '../../phases/context.js';
import { argumentsIn, ETCD_MANIFEST } from '../../phases/etcd-manifest.js';
import { ASIDE_DIR } from '../../phases/paths.js';
import { RUNS } from '../../phases/pod-processes.js';
import { exists } from '../../phases/seen.js';
import { certificatePaths } from '../../pki/table.js';

/** Folder in a data directory in which a new one is made ready. */
export const WORK_DIR = 'keelson-work';

/** What a host that should have an etcd member has of it. */
export interface MemberSurvey {
  host: string;
  /** The member's name: the node's. */
  name: string;
  peerURL: string;
  dataDir: string;
  image: string;
  /** Where the manifest is. */
  manifest: 'in place' | 'aside' | null;
  /** An etcd process is there. */
  running: boolean;
  /** Bytes of the database; null where there is none. */
  dbBytes: number | null;
  freeBytes: number;
  /** The host has the certificates of a member. */
  initialised: boolean;
  /** Manifests that an interrupted run left aside. */
  aside: boolean;
  /** A new data directory was ready to take the place of the old one. */
  unsettled: boolean;
  /** What keeps keelson from working on this host; null where nothing does. */
  obstacle: string | null;
}

const probes = (dataDir: string) => ({
  running: `${RUNS}runs etcd`,
  free: `at=${quote([dataDir])}; while [ ! -d "$at" ]; do at=$(dirname "$at"); done; df -Pk "$at" | awk 'NR==2 {print $4}'`,
  aside: `ls ${ASIDE_DIR}/*.yaml >/dev/null 2>&1`,
});

/** Looks at all connected hosts that should have a member, in the order of the file. Reads only. */
export async function surveyMembers(
  context: PhaseContext,
  hosts: ReadonlyMap<string, HostReader>,
): Promise<MemberSurvey[]> {
  const connected = memberHosts(context.config).filter(({ name }) => hosts.has(name));
  return Promise.all(
    connected.map(async ({ name }) => {
      const host = hosts.get(name);
      if (host === undefined) throw new KeelsonError('BUG', `no connection to ${name}`);
      return surveyOf(context, host);
    }),
  );
}

async function surveyOf(context: PhaseContext, host: HostReader): Promise<MemberSurvey> {
  const { config } = context;
  const own = context.hostNamed(host.name);
  const asideManifest = `${ASIDE_DIR}/etcd.yaml`;
  const { cert } = certificatePaths(config.cluster, { baseName: 'etcd/peer' });
  const manifests = await host.read({ files: [ETCD_MANIFEST, asideManifest] });
  const manifest = [ETCD_MANIFEST, asideManifest].find((path) => exists(manifests, path));
  const given = manifest === undefined ? null : argumentsIn(manifests, manifest);
  const dataDir = given?.flag('data-dir') ?? memberSettings(config.cluster, own)?.dataDir ?? '';
  const db = `${dataDir}/member/snap/db`;
  const ready = `${dataDir}/${WORK_DIR}/ready`;
  const data = `${dataDir}/member`;
  const seen = await host.read({ stats: [db, ready, data, cert], probes: probes(dataDir) });
  return {
    host: host.name,
    name: own.nodeRegistration.name,
    peerURL: etcdPeerUrl(own),
    dataDir,
    image: given?.image ?? etcdImage(config.cluster),
    manifest: manifest === undefined ? null : manifest === ETCD_MANIFEST ? 'in place' : 'aside',
    running: ok(seen, 'running'),
    dbBytes: seen.files.get(db)?.type === 'file' ? (seen.files.get(db)?.size ?? null) : null,
    freeBytes: Number(seen.probes.get('free')?.stdout ?? 0) * 1024,
    initialised: exists(seen, cert),
    aside: ok(seen, 'aside'),
    unsettled: exists(seen, ready) && !exists(seen, data),
    obstacle:
      given?.flag('wal-dir') === undefined
        ? null
        : 'its etcd keeps its log in a directory of its own (--wal-dir)',
  };
}

const ok = (seen: ReadResult, probe: string): boolean => seen.probes.get(probe)?.code === 0;
