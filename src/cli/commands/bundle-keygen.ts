import { access, writeFile } from 'node:fs/promises';
import { generateBundleKey } from '../../bundle/signature.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { defineCommand } from '../command.js';
import { outputFile } from '../output-path.js';

export const command = defineCommand({
  name: 'bundle keygen',
  summary: 'a key pair to sign bundles with',
  details:
    'Ed25519, in PEM. FILE is the private key, to be kept; FILE.pub is for everybody who takes bundles, and goes into spec.bundle.publicKey.',
  options: {
    out: {
      flags: '--out <file>',
      description: 'the private key (default keelson-bundle.key)',
      kind: 'string',
      default: 'keelson-bundle.key',
    },
    passphrase: {
      flags: '--passphrase',
      description: 'ask for a passphrase and encrypt it',
      kind: 'boolean',
    },
  },
  run: async ({ options, io }) => {
    const file = await outputFile(options.out, io);
    for (const path of [file, `${file}.pub`]) {
      const there = await access(path).then(
        () => true,
        () => false,
      );
      if (there)
        throw new KeelsonError('USAGE', `${path} is there already`, { hint: 'keys are never written over' });
    }
    const { privateKey, publicKey, keyId } = generateBundleKey(
      options.passphrase
        ? await io.askSecret(
            'passphrase of the new key',
            'run this from a terminal, or leave --passphrase out',
          )
        : undefined,
    );
    await writeFile(file, privateKey, { mode: 0o600, flag: 'wx' });
    await writeFile(`${file}.pub`, publicKey, { mode: 0o644, flag: 'wx' });
    return { data: { file, publicKey: `${file}.pub`, keyId }, text: `${file}\n${file}.pub\n${keyId}\n` };
  },
});
