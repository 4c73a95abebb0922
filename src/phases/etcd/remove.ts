import type { EtcdClient, EtcdMember } from '../../cluster/etcd.js';
import { type MemberHealth, removalObstacle, removalOrder } from '../../cluster/etcd-quorum.js';
import { memberHosts, memberSettings } from '../../config/inventory.js';
import type { Verdict } from '../../engine/phase.js';
import { SATISFIED } from '../../engine/phase.js';
import { waitUntil } from '../../engine/wait.js';
import { KeelsonError, toKeelsonError } from '../../errors/keelson-error.js';
import { etcdPeerUrl } from '../../manifests/static-pods/etcd.js';
import { API_SERVER_STOPPED, DRAINED, MEMBERS_OUT } from '../artefacts.js';
import { defineClusterPhase, type PhaseContext } from '../context.js';
import { firstMember } from '../etcd-access.js';
import { clientOf, healthOf } from './health.js';

/** Takes hosts out of etcd before anything of theirs is wiped, and not at the price of the quorum. */
export const removeMembers = (hosts: readonly string[]) =>
  defineClusterPhase({
    name: 'etcd/remove',
    summary: 'etcd members of hosts that leave, taken out while the others keep their quorum',
    target: 'cluster',
    needs: [DRAINED, API_SERVER_STOPPED],
    provides: [MEMBERS_OUT],
    // A cluster that never came up has no members yet.
    runIf: ({ config, established }) => established && memberHosts(config).length > 0,
    check: (context) => check(context, hosts),
    actions: {
      remove: (context, change) => removeMember(context, hosts, change.params?.id ?? ''),
    },
  });

/** Members of these hosts: by peer URL, or by name where a host was readdressed. */
export function membersOf(
  context: PhaseContext,
  members: readonly EtcdMember[],
  hosts: readonly string[],
): { host: string; member: EtcdMember }[] {
  return hosts.flatMap((host) => {
    const resolved = context.hostNamed(host);
    if (memberSettings(context.config.cluster, resolved) === undefined) return [];
    const url = etcdPeerUrl(resolved);
    return members
      .filter((member) => member.peerURLs.includes(url) || member.name === resolved.nodeRegistration.name)
      .map((member) => ({ host, member }));
  });
}

async function check(context: PhaseContext, hosts: readonly string[]): Promise<Verdict> {
  const { cluster } = context.config;
  if (hosts.every((host) => memberSettings(cluster, context.hostNamed(host)) === undefined)) return SATISFIED;
  const client = await firstMember(context);
  try {
    const members = await client.members();
    const leaving = membersOf(context, members, hosts);
    if (leaving.length === 0) return SATISFIED;
    const ids = leaving.map(({ member }) => member.id);
    const { health } = await healthOf(context, members);
    const obstacle = removalObstacle(health, ids);
    if (obstacle !== null) return { standing: 'blocked', reasons: [obstacle], changes: [] };
    const names = new Map(leaving.map(({ host, member }) => [member.id, host]));
    const changes = removalOrder(health, ids).map((id) => ({
      kind: 'action' as const,
      name: 'remove',
      summary: `remove the etcd member of ${names.get(id)}`,
      params: { id },
      disrupts: true,
    }));
    return { standing: 'drifted', reasons: changes.map((change) => change.summary), changes };
  } catch (error) {
    // A majority that does not answer can't agree on who belongs to it.
    const { code, message } = toKeelsonError(error);
    if (code !== 'CONNECTION' && code !== 'CONFLICT') throw error;
    const reason = `etcd can't be asked for its members, so none can be taken out: ${message}. To give up the whole cluster: keelson reset without --host`;
    return { standing: 'blocked', reasons: [reason], changes: [] };
  } finally {
    await client.close();
  }
}

async function removeMember(context: PhaseContext, hosts: readonly string[], id: string): Promise<void> {
  const client = await firstMember(context);
  try {
    await waitUntil(
      async () => {
        const members = await client.members();
        if (!members.some((member) => member.id === id)) return { met: true, state: '' };
        const { health, leader } = await healthOf(context, members);
        // What was safe when it was planned may not be any more.
        const obstacle = removalObstacle(health, [id]);
        if (obstacle !== null) throw new KeelsonError('CONFLICT', obstacle, { hint: HINT });
        if (leader === id) await handOver(context, members, health, { from: id, hosts });
        await client.remove(id);
        return { met: true, state: '' };
      },
      { for: 'etcd to let a member go', deadlineMs: 60_000, signal: context.signal, hint: HINT },
    );
  } finally {
    await client.close();
  }
}

const HINT = 'keelson etcd status shows which members are down: bring them back first';

/** A leader that is told to hand over costs no election. Where that fails, an election does it. */
async function handOver(
  context: PhaseContext,
  members: readonly EtcdMember[],
  health: readonly MemberHealth[],
  { from, hosts }: { from: string; hosts: readonly string[] },
): Promise<void> {
  const leaving = membersOf(context, members, hosts).map(({ member }) => member.id);
  const heir = health.find(({ id, learner, healthy }) => healthy && !learner && !leaving.includes(id));
  const leader = members.find(({ id }) => id === from);
  if (heir === undefined || leader === undefined) return;
  let client: EtcdClient | undefined;
  try {
    client = await clientOf(context, leader);
    await client.moveLeader(heir.id);
  } catch (error) {
    const { message, code } = toKeelsonError(error);
    if (code === 'ABORTED') throw error;
    context.emit({ type: 'note', host: '', level: 'info', text: `etcd elects a new leader: ${message}` });
  } finally {
    await client?.close();
  }
}
