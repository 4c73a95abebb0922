import { constants, copyFile, rename, stat, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { readClusterFile } from '../../config/load.js';
import { migrateConfig } from '../../config/migrate.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { CLUSTER_OPTIONS } from '../cluster-options.js';
import { defineCommand } from '../command.js';

export const command = defineCommand({
  name: 'config migrate',
  summary: 'older kubeadm documents to v1beta4',
  details: 'Comments stay, and other documents stay as they are. Prints the result unless --write is given.',
  options: {
    config: CLUSTER_OPTIONS.config,
    write: {
      flags: '--write',
      description: 'rewrite the file, keeping the old one beside it with the ending .bak',
      kind: 'boolean',
    },
  },
  run: async ({ options, io }) => {
    const file = resolve(io.cwd, options.config);
    const before = await readClusterFile(file);
    const { text, notes } = migrateConfig(before, file);
    for (const note of notes) io.stderr.write(`keelson: ${note}\n`);
    const data = { file, changed: notes.length > 0, notes };
    if (!options.write) return { data: { ...data, text }, text };
    if (notes.length === 0) return { data, text: `Nothing to migrate in ${options.config}.` };
    await replaceFile(file, text);
    return {
      data: { ...data, backup: `${file}.bak` },
      text: `${options.config} migrated; the old one is ${options.config}.bak.`,
    };
  },
});

async function replaceFile(file: string, text: string): Promise<void> {
  try {
    await copyFile(file, `${file}.bak`, constants.COPYFILE_EXCL);
  } catch (cause) {
    throw new KeelsonError('CONFLICT', `${file}.bak can't be made`, {
      cause,
      hint: 'move an older one out of the way; nothing was changed',
    });
  }
  const { mode } = await stat(file);
  await writeFile(`${file}.new`, text, { mode: mode & 0o777 });
  await rename(`${file}.new`, file);
}
