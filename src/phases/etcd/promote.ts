import { KeelsonError } from '../../errors/keelson-error.js';
import { API, ETCD } from '../artefacts.js';
import { defineClusterPhase } from '../context.js';
import { firstMember } from './access.js';
import { promoteWhenReady } from './join.js';

/** A join that was interrupted between start and promotion leaves a learner that works but never votes. */
export const promoteLearners = defineClusterPhase({
  name: 'etcd/promote',
  summary: 'learners that an interrupted join left are made voters',
  target: 'cluster',
  needs: [API, ETCD],
  provides: [],
  runIf: ({ config, inventory }) =>
    config.cluster.etcd.external === undefined &&
    inventory.filter((host) => host.role === 'control-plane').length > 1,
  check: async (context) => {
    if (context.api() === null) return { standing: 'satisfied', reasons: [], changes: [] };
    const client = await firstMember(context);
    try {
      const learners = (await client.members()).filter((member) => member.learner && member.name !== '');
      return {
        standing: learners.length === 0 ? 'satisfied' : 'drifted',
        reasons: learners.map((member) => `${member.name} is a learner`),
        changes: learners.map((member) => ({
          kind: 'action',
          name: 'promote',
          summary: `promote etcd learner ${member.name}`,
          params: { id: member.id, name: member.name },
        })),
      };
    } catch (error) {
      // Before the first start there is nothing that could answer.
      if (error instanceof KeelsonError && error.code === 'CONNECTION')
        return { standing: 'satisfied', reasons: [], changes: [] };
      throw error;
    } finally {
      await client.close();
    }
  },
  actions: {
    promote: async (context, change) => {
      const client = await firstMember(context);
      try {
        await promoteWhenReady(context, client, change.params?.id ?? '', change.params?.name ?? '');
      } finally {
        await client.close();
      }
    },
  },
});
