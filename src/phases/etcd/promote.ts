import type { EtcdClient } from '../../cluster/etcd.js';
import { parseGoDuration } from '../../config/go-duration.js';
import { waitUntil } from '../../engine/wait.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import type { Host } from '../../host/types.js';
import { etcdPeerUrl } from '../../manifests/static-pods/etcd.js';
import { answering } from '../answering.js';
import type { PhaseContext } from '../context.js';
import { firstMember } from '../etcd-access.js';

/** A join that was interrupted between start and promotion leaves a learner that works but never votes. */
export async function promoteMember(context: PhaseContext, host: Host): Promise<void> {
  const peerURL = etcdPeerUrl(context.hostNamed(host.name));
  const client = await firstMember(context);
  try {
    const member = (await client.members()).find((candidate) => candidate.peerURLs.includes(peerURL));
    if (member?.learner === true) await promoteWhenReady(context, client, member.id, host.name);
  } finally {
    await client.close();
  }
}

/** Promotes a learner as soon as it has caught up. */
export async function promoteWhenReady(
  context: PhaseContext,
  client: EtcdClient,
  id: string,
  host: string,
): Promise<void> {
  const limit = parseGoDuration(context.config.joinTimeouts.etcdAPICall);
  await waitUntil(
    async () => {
      const member = (await client.members()).find((candidate) => candidate.id === id);
      if (member === undefined) {
        throw new KeelsonError('CONFLICT', `the learner ${id} was taken out by someone else`, {
          host,
          hint: 'run apply again: it adds the member anew',
        });
      }
      if (!member.learner) return { met: true, state: '' };
      if (member.name === '') return { met: false, state: 'the member has not started yet' };
      await client.promote(id);
      return { met: true, state: '' };
    },
    {
      for: `the etcd learner of ${host} to catch up`,
      deadlineMs: 'ms' in limit ? limit.ms : 120_000,
      intervalMs: 100,
      signal: context.signal,
      guard: answering(context, [host]),
      hint: `on ${host}: the log of the etcd container in /var/log/containers`,
      onState: (last) =>
        context.emit({ type: 'waiting', phase: 'etcd/join', host, for: 'the learner to catch up', last }),
    },
  );
}
