import { exitCodeOf, KeelsonError } from '../../errors/keelson-error.js';
import { table } from '../../report/table.js';
import { type NetworkStatus, type NodeNetwork, networkStatus } from '../../workflows/network-status.js';
import { CLUSTER_OPTIONS, withSession } from '../cluster-options.js';
import { defineCommand } from '../command.js';

/** Exit code where something is not as it should be, the same as that of a failed verify. */
const WRONG = exitCodeOf(new KeelsonError('VERIFY', 'the network is not as it should be'));

const COLUMNS = ['HOST', 'BACKEND', 'PODS', 'MTU', 'ROUTES', 'FDB', 'KUBE-PROXY'];

export const command = defineCommand({
  name: 'network status',
  summary: 'the pod network as the kernels of all nodes have it',
  details: `Reads only. Compares routes, VXLAN's forwarding entries, MTU, CNI files and kube-proxy's mode on every node
with what they have to be; readiness does not tell. Exits ${WRONG} where anything is otherwise. Whether packets come
through is what keelson verify tries.`,
  options: CLUSTER_OPTIONS,
  run: async ({ options, io, global }) =>
    withSession(
      { options, io, global },
      async ({ session }) => {
        const status = await networkStatus(session);
        return { data: status, text: textOf(status), exitCode: status.ok ? 0 : WRONG };
      },
      { quiet: true, bundleOptional: true, tolerant: true },
    ),
});

function textOf(status: NetworkStatus): string {
  const problems = [
    ...status.problems,
    ...status.nodes.flatMap((node) => node.problems.map((problem) => `${node.host}: ${problem}`)),
  ];
  const notes = status.nodes.flatMap((node) => node.notes.map((note) => `  ${node.host}: ${note}\n`));
  const verdict =
    problems.length === 0
      ? `The network of ${status.cluster} (${status.plugin}) is as it should be.\n`
      : `The network of ${status.cluster} (${status.plugin}) is not as it should be:\n${problems.map((text) => `  ✖ ${text}\n`).join('')}`;
  return `${table(COLUMNS, status.nodes.map(rowOf))}\n${verdict}${notes.join('')}`;
}

function rowOf(node: NodeNetwork): string[] {
  const count = (of: { expected: number; found: number } | null) =>
    of === null ? '-' : `${of.found} of ${of.expected}`;
  return [
    node.host,
    node.backend || '-',
    node.blocks.join(',') || '-',
    node.mtu === null ? '-' : String(node.mtu),
    count(node.routes),
    count(node.forwarding),
    node.proxyMode ?? '-',
  ];
}
