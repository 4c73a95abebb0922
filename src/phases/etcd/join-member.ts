import type { EtcdClient, EtcdMember } from '../../cluster/etcd.js';
import { memberSettings } from '../../config/inventory.js';
import { waitUntil } from '../../engine/wait.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import type { Host } from '../../host/types.js';
import { etcdPeerUrl } from '../../manifests/static-pods/etcd.js';
import type { PhaseContext } from '../context.js';
import { etcdOn } from '../etcd-access.js';
import { ETCD_MANIFEST } from '../etcd-manifest.js';
import { RUNS } from '../pod-processes.js';
import { renderedFor, SURROUNDINGS } from '../rendered.js';
import { exists } from '../seen.js';
import { promoteWhenReady } from './promote.js';

/** What a join that was cut off a moment ago may still need to start its member, milliseconds. */
const PATIENCE_MS = 10_000;

/** Arguments: manifest, data directory. Exit code 4: etcd still runs. */
const SET_ASIDE = `runs() {
  for comm in /proc/[0-9]*/comm; do
    read -r name 2>/dev/null < "$comm" && [ "$name" = etcd ] && return 0
  done
  return 1
}
rm -f "$1"
[ -e "$2/member" ] || exit 0
i=0
while runs; do
  i=$((i+1)); [ $i -gt 600 ] && exit 4
  sleep 0.1
done
rm -rf "$2/member.replaced"
mv "$2/member" "$2/member.replaced"
`;

/**
 * Arguments: name of etcd's program, name of the API server's. Where no etcd runs, an API server answers nothing but
 * keeps the kubelet waiting a minute for every call, before it starts etcd: it is ended, and the kubelet starts it anew.
 */
export const END_HELD_API = `${RUNS}runs "$1" && exit 0
runs "$2" && kill -KILL $pid
exit 0
`;

/**
 * Makes a host a voting member of etcd, from wherever an earlier try left off:
 * a member that was added and never started is started; one whose manifest is gone gets it again; one that lost
 * its data is taken out and added anew; data of a membership that etcd knows no more is set aside.
 * @param through a host with a member
 */
export async function joinMember(
  context: PhaseContext,
  host: Host,
  through: string = context.first.name,
): Promise<void> {
  const own = context.hostNamed(host.name);
  const name = own.nodeRegistration.name;
  const peerURL = etcdPeerUrl(own);
  const dataDir = memberSettings(context.config.cluster, own)?.dataDir ?? '';
  const data = `${dataDir}/member`;
  const client = await etcdOn(context, through);
  try {
    const there = await host.read({ stats: [data] });
    const hasData = exists(there, data);
    const found = (await client.members()).find((member) => member.peerURLs.includes(peerURL));
    const started = found !== undefined && found.name !== '';
    if (started && !hasData) await client.remove(found.id);
    const adopted = started && !hasData ? undefined : found;
    if (!started) await setAside(host, dataDir);
    const id = adopted?.id ?? (await addLearner(context, client, peerURL));
    const initialCluster = (await client.members()).map((member) => ({
      name: member.id === id ? name : member.name,
      peerURL: member.peerURLs[0] ?? '',
    }));
    const seen = await host.read({ files: [ETCD_MANIFEST], ...SURROUNDINGS });
    const manifest = renderedFor(context, host.name, seen, { initialCluster }).get(ETCD_MANIFEST);
    if (manifest === undefined) throw new KeelsonError('BUG', 'no etcd manifest was rendered');
    await host.put([
      { path: ETCD_MANIFEST, content: Buffer.from(manifest.content), mode: manifest.mode, dirMode: 0o700 },
    ]);
    await host.script({ name: 'etcd/end-held-api', text: END_HELD_API, args: ['etcd', 'kube-apiserver'] });
    await promoteWhenReady(context, client, id, host.name);
  } finally {
    await client.close();
  }
}

/** Data of an earlier membership would keep a new member from starting; the last such is kept beside. */
async function setAside(host: Host, dataDir: string): Promise<void> {
  const result = await host.script(
    { name: 'etcd/set-aside', text: SET_ASIDE, args: [ETCD_MANIFEST, dataDir] },
    { timeoutMs: 90_000, acceptCodes: [0, 4] },
  );
  if (result.code === 0) return;
  throw new KeelsonError('DEADLINE', 'an etcd that is no member any more does not stop', {
    host: host.name,
    hint: `on ${host.name}: systemctl status kubelet; it stops pods whose manifest is gone`,
  });
}

/** Adds a learner, and clears away what keeps etcd from accepting it: learners that an interrupted join left. */
async function addLearner(context: PhaseContext, client: EtcdClient, peerURL: string): Promise<string> {
  const began = context.now();
  let id = '';
  await waitUntil(
    async () => {
      try {
        id = (await client.addLearner(peerURL)).id;
        return { met: true, state: '' };
      } catch (error) {
        if (!(error instanceof KeelsonError) || !error.retryable) throw error;
        const learners = (await client.members()).filter((member) => member.learner);
        for (const learner of learners) {
          await clear(context, client, learner, context.now() - began > PATIENCE_MS);
        }
        return { met: false, state: stateOf(error, learners) };
      }
    },
    {
      for: 'etcd to accept a learner',
      deadlineMs: 60_000,
      intervalMs: 200,
      signal: context.signal,
      hint: 'every member has to be healthy before another is added; a learner that never starts has to be removed',
      onState: (last) =>
        context.emit({
          type: 'waiting',
          phase: 'etcd/join',
          host: '',
          for: 'etcd to accept a learner',
          last,
        }),
    },
  );
  return id;
}

function stateOf(error: KeelsonError, learners: readonly EtcdMember[]): string {
  if (learners.length === 0) return error.message;
  const names = learners.map(
    (learner) => learner.name || `a member that never started at ${learner.peerURLs}`,
  );
  return `${error.message} (${names.join(', ')})`;
}

/** Promotes a learner that runs; removes one that never started, where it is a host of the file and had its time. */
async function clear(
  context: PhaseContext,
  client: EtcdClient,
  learner: EtcdMember,
  late: boolean,
): Promise<void> {
  try {
    if (learner.name !== '') return await client.promote(learner.id);
    const ours = context.config.hosts.some(
      (host) =>
        memberSettings(context.config.cluster, host) !== undefined &&
        learner.peerURLs.includes(etcdPeerUrl(host)),
    );
    if (late && ours) await client.remove(learner.id);
  } catch (error) {
    if (!(error instanceof KeelsonError) || !error.retryable) throw error;
  }
}
