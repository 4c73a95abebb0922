import { relative, resolve } from 'node:path';
import { table } from '../../report/table.js';
import { renderTrees, writeTrees } from '../../workflows/render.js';
import { CLUSTER_OPTIONS, clusterConfig } from '../cluster-options.js';
import { defineCommand } from '../command.js';

export const command = defineCommand({
  name: 'render',
  summary: 'every file that a host would get, without any host',
  details:
    'Writes certificates, keys and kubeconfigs of control planes too: take care of the directory. They are issued anew at each run unless --pki brings them. Binaries and images come from the bundle and are not written.',
  options: {
    config: CLUSTER_OPTIONS.config,
    host: {
      flags: '--host <name>',
      description: 'this host, its files directly in the directory; default all hosts, each in a folder',
      kind: 'string',
    },
    out: {
      flags: '--out <directory>',
      description: 'where to write (default rendered)',
      kind: 'string',
      default: 'rendered',
    },
    pki: {
      flags: '--pki <directory>',
      description: 'certificates and keys to keep, laid out like /etc/kubernetes/pki',
      kind: 'string',
    },
    force: {
      flags: '--force',
      description: 'write into a directory that is not empty; nothing is deleted',
      kind: 'boolean',
    },
  },
  run: async ({ options, io }) => {
    const config = await clusterConfig(options.config, io);
    const trees = await renderTrees(config, {
      ...(options.host === undefined ? {} : { hosts: [options.host] }),
      ...(options.pki === undefined ? {} : { pki: resolve(io.cwd, options.pki) }),
    });
    const directory = resolve(io.cwd, options.out);
    const files = await writeTrees(trees, directory, {
      perHost: options.host === undefined,
      force: options.force,
    });
    const rows = files.map((file) => [file.host, file.mode, relative(io.cwd, file.file)]);
    return { data: { directory, files }, text: table(['HOST', 'MODE', 'FILE'], rows) };
  },
});
