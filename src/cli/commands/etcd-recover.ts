import { hostNamed } from '../../config/inventory.js';
import { bytes, duration, table } from '../../report/table.js';
import { type RecoverResult, recoverEtcd } from '../../workflows/etcd/recover.js';
import { prepareRecovery, type RecoverPlan, type Remains } from '../../workflows/etcd/recover-plan.js';
import { CLUSTER_OPTIONS, clusterConfig, ownerOf, withSession } from '../cluster-options.js';
import { defineCommand } from '../command.js';
import { askFirst, requireAnswer } from '../confirmation.js';

const COLUMNS = ['HOST', 'STATE', 'REVISION', 'HASH', 'TERM', 'INDEX', 'DB', ''];

export const command = defineCommand({
  name: 'etcd recover',
  summary: 'etcd that lost its quorum, from the freshest member that is left',
  details: `Looks at what every member still has, proposes the freshest, and asks. API servers and etcd are stopped, that
member becomes a cluster of its own, and the others join it as learners, one at a time. Every data directory is kept,
as member.before-recover-…. Writes that only lost members had are lost. Refused while etcd has its quorum.
Interrupted anywhere, it is ended by the same command.`,
  options: {
    ...CLUSTER_OPTIONS,
    from: {
      flags: '--from <host>',
      description: 'the host whose data to go on with (default the freshest)',
      kind: 'string',
    },
    unreachable: {
      flags: '--unreachable',
      description: 'hosts that can’t be reached are gone for good, and switched off',
      kind: 'boolean',
    },
    yes: { flags: '--yes', description: 'do not ask', kind: 'boolean' },
    dryRun: { flags: '--dry-run', description: 'show what there is and change nothing', kind: 'boolean' },
  },
  run: async ({ options, io, global }) => {
    const config = await clusterConfig(options.config, io);
    const { from, unreachable } = options;
    const selection = { unreachable, ...(from === undefined ? {} : { from: hostNamed(config, from).name }) };
    requireAnswer(options, io, 'a recovery gives members up', 'look at it with --dry-run, then give --yes');
    const connections = { config, tolerant: true, bundleOptional: true };
    const ended = await askFirst(options, io, {
      look: () =>
        withSession(
          { options, io, global },
          async ({ session }) => (await prepareRecovery(session, selection)).plan,
          { ...connections, quiet: true },
        ),
      text: planText,
      question: (plan) => `Go on with what ${plan.chosen} has?`,
      refused: 'nothing was recovered',
    });
    if (ended !== null) return ended;
    return withSession(
      { options, io, global },
      async ({ session }) => {
        const result = await recoverEtcd(session, { ...selection, owner: ownerOf() });
        return { data: result, text: `${planText(result.plan)}${resultText(result)}` };
      },
      connections,
    );
  },
});

function planText(plan: RecoverPlan): string {
  const lead =
    plan.ahead === null
      ? 'No other member has anything.'
      : plan.ahead === 0
        ? 'Another member has the same revision.'
        : `It is ${plan.ahead} revisions ahead of the next.`;
  return [
    table(
      COLUMNS,
      plan.remains.map((one) => rowOf(one, plan.chosen)),
    ).trimEnd(),
    '',
    `${plan.chosen} is what the cluster goes on with. ${lead}`,
    ...(plan.unreachable.length === 0
      ? []
      : [
          `Given up: ${plan.unreachable.join(', ')}. They must never come back with their old data while they are members of the old cluster.`,
        ]),
    ...plan.kept.map(({ host, path }) => `${host}: its data is kept as ${path}`),
    '',
  ].join('\n');
}

function rowOf(one: Remains, chosen: string): string[] {
  const number = (value: number | null) => (value === null ? '-' : String(value));
  return [
    one.host,
    one.state,
    number(one.revision),
    one.hash === null ? '-' : one.hash.toString(16),
    number(one.raftTerm),
    number(one.raftIndex),
    one.dbBytes === null ? '-' : bytes(one.dbBytes),
    one.host === chosen ? '← freshest' : (one.problem ?? ''),
  ];
}

function resultText({ plan, revision, regrown, nodes, servingMs, durationMs }: RecoverResult): string {
  return [
    `Recovered in ${duration(durationMs)}; an API server was ready after ${duration(servingMs)}. etcd is at revision ${revision}.`,
    ...(regrown.length === 0 ? [] : [`Joined anew: ${regrown.join(', ')}.`]),
    ...(plan.unreachable.length === 0
      ? []
      : [
          `Take out what was given up: keelson node remove ${plan.unreachable.join(' and ')} --unreachable, or keelson node replace.`,
        ]),
    ...(nodes.missing.length === 0 ? [] : [`Nodes that register again: ${nodes.missing.join(', ')}.`]),
    ...(nodes.unknown.length === 0
      ? []
      : [`Nodes that no host of the file has: ${nodes.unknown.join(', ')}.`]),
    '',
  ].join('\n');
}
