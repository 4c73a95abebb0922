import { delimiter, join, resolve } from 'node:path';
import { firstControlPlane } from '../../config/inventory.js';
import type { ClusterConfig } from '../../config/types.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { adminKubeconfig, isReachable, saveKubeconfig } from '../../workflows/kubeconfig.js';
import { renamedKubeconfig } from '../../workflows/merge-kubeconfig.js';
import { CLUSTER_OPTIONS, clusterConfig, withSession } from '../cluster-options.js';
import { type CliIO, defineCommand } from '../command.js';
import { outputFile } from '../output-path.js';

export const command = defineCommand({
  name: 'kubeconfig',
  summary: 'the admin kubeconfig, merged into a file',
  details: [
    'Without --out and --merge it goes to stdout: it is a secret.',
    '--merge adds a cluster, a user and a context to --out, else to the first file of $KUBECONFIG, else to',
    '~/.kube/config. Other entries stay as they are.',
  ].join('\n'),
  options: {
    ...CLUSTER_OPTIONS,
    out: { flags: '--out <file>', description: 'write to this file, mode 0600', kind: 'string' },
    merge: { flags: '--merge', description: 'add to what the file has', kind: 'boolean' },
    contextName: {
      flags: '--context-name <name>',
      description: 'name of context and cluster (with --merge, default the cluster’s name)',
      kind: 'string',
    },
    use: { flags: '--use', description: 'make it the current context', kind: 'boolean' },
    replace: {
      flags: '--replace',
      description: 'overwrite what has the same name and says something else',
      kind: 'boolean',
    },
  },
  run: async ({ options, io, global }) => {
    const config = await clusterConfig(options.config, io);
    if (options.contextName?.trim() === '')
      throw new KeelsonError('USAGE', 'the context has no name', {
        hint: 'give --context-name NAME, or leave it out',
      });
    const file = await fileOf(options, io);
    const admin = await withSession(
      { options, io, global },
      async ({ session }) => adminKubeconfig(session),
      {
        config,
        quiet: true,
        bundleOptional: true,
        hosts: [],
      },
    );
    const name = options.contextName ?? (options.merge ? config.name : undefined);
    const text = name === undefined ? admin : renamedKubeconfig(admin, name);
    const { server, reachable } = await isReachable(text);
    if (!reachable) io.stderr.write(tunnelHint(config, server));
    if (file === null) return { data: { server, reachable, kubeconfig: text }, text };
    const changed = await saveKubeconfig(text, file, options);
    return {
      data: { file, changed, server, reachable, context: name ?? null },
      text: changed
        ? `${file} written${name === undefined ? '' : `: kubectl --context ${name}`}`
        : `${file} has it already`,
    };
  },
});

/** The file to write; null for stdout. */
async function fileOf(
  options: { out: string | undefined; merge: boolean },
  io: CliIO,
): Promise<string | null> {
  if (options.out === undefined && !options.merge) return null;
  return outputFile(options.out ?? defaultFile(io), io, { makesFolder: true });
}

function defaultFile(io: CliIO): string {
  const [first] = (io.env.KUBECONFIG ?? '').split(delimiter).filter((part) => part !== '');
  return first === undefined ? join(io.home, '.kube', 'config') : resolve(io.cwd, first);
}

function tunnelHint(config: ClusterConfig, server: string): string {
  const { ssh, localAPIEndpoint } = firstControlPlane(config);
  const { advertiseAddress, bindPort } = localAPIEndpoint;
  const target = advertiseAddress.includes(':') ? `[${advertiseAddress}]` : advertiseAddress;
  const port = ssh.port === 22 ? '' : ` -p ${ssh.port}`;
  return [
    `keelson: ${server} can't be reached from here. Through SSH it can:`,
    `  ssh -N -L 6443:${target}:${bindPort}${port} ${ssh.user}@${ssh.address}`,
    '  kubectl --server https://127.0.0.1:6443 --tls-server-name kubernetes …',
    '',
  ].join('\n');
}
