import type { BootstrapTokenSpec } from '../../config/types.js';
import { table } from '../../report/table.js';
import { listTokens } from '../../workflows/token.js';
import { CLUSTER_OPTIONS, clusterConfig, withSession } from '../cluster-options.js';
import { defineCommand } from '../command.js';

const COLUMNS = ['TOKEN', 'TTL', 'EXPIRES', 'USAGES', 'DESCRIPTION', 'EXTRA GROUPS'];

export const command = defineCommand({
  name: 'token list',
  summary: 'bootstrap tokens of the cluster',
  details: 'Shows whole tokens, as kubeadm token list does: they are secrets.',
  options: CLUSTER_OPTIONS,
  run: async ({ options, io, global }) => {
    const config = await clusterConfig(options.config, io);
    return withSession(
      { options, io, global },
      async ({ session }) => {
        const tokens = await listTokens(session);
        const rows = tokens.map((token) => rowOf(token, session.context.now()));
        return { data: tokens, text: rows.length === 0 ? 'no bootstrap tokens' : table(COLUMNS, rows) };
      },
      { config, quiet: true, bundleOptional: true, hosts: [] },
    );
  },
});

function rowOf(token: BootstrapTokenSpec, now: number): string[] {
  const none = (text: string) => (text === '' ? '<none>' : text);
  return [
    token.token,
    token.expires === undefined ? '<forever>' : left(Date.parse(token.expires) - now),
    token.expires ?? '<never>',
    none(token.usages.join(',')),
    none(token.description ?? ''),
    none(token.groups.join(',')),
  ];
}

/** Time left in its largest unit, as kubectl shows ages: 3d, 23h, 59m, 12s. */
function left(ms: number): string {
  if (ms <= 0) return '<invalid>';
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`;
  if (seconds < 86_400 * 365) return `${Math.floor(seconds / 86_400)}d`;
  return `${Math.floor(seconds / 86_400 / 365)}y`;
}
