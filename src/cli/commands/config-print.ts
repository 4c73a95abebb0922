import { parseAllDocuments } from 'yaml';
import { kubeadmDocuments, printConfig, printDocuments } from '../../config/print.js';
import { withoutSecrets } from '../../config/without-secrets.js';
import { CLUSTER_OPTIONS, clusterConfig } from '../cluster-options.js';
import { defineCommand } from '../command.js';

export const command = defineCommand({
  name: 'config print',
  summary: 'a cluster file with all defaults',
  details: 'With --show-secrets the result can be used in place of the file.',
  options: {
    config: CLUSTER_OPTIONS.config,
    showSecrets: {
      flags: '--show-secrets',
      description: 'bootstrap tokens and certificateKey as they are',
      kind: 'boolean',
    },
    kubeadm: { flags: '--kubeadm', description: 'only the documents that kubeadm reads', kind: 'boolean' },
  },
  run: async ({ options, io }) => {
    const given = await clusterConfig(options.config, io);
    for (const note of given.notes) io.stderr.write(`keelson: ${note}\n`);
    const config = options.showSecrets ? given : withoutSecrets(given);
    const text = options.kubeadm ? printDocuments(kubeadmDocuments(config)) : printConfig(config);
    return { data: parseAllDocuments(text).map((document): unknown => document.toJS()), text };
  },
});
