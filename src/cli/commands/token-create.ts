import { parseGoDuration } from '../../config/go-duration.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { parseCertificateKey } from '../../join/certificate-key.js';
import {
  DEFAULT_TOKEN_GROUPS,
  DEFAULT_TOKEN_TTL,
  DEFAULT_TOKEN_USAGES,
  generateToken,
  tokenSecret,
} from '../../join/token.js';
import { createToken } from '../../workflows/token.js';
import { CLUSTER_OPTIONS, clusterConfig, withSession } from '../cluster-options.js';
import { defineCommand } from '../command.js';

export const command = defineCommand({
  name: 'token create',
  summary: 'a bootstrap token',
  details:
    'Without [token] a random one is made. Who has it can join machines to the cluster until it expires.',
  arguments: '[token]',
  options: {
    ...CLUSTER_OPTIONS,
    ttl: {
      flags: '--ttl <duration>',
      description: 'time until it expires; 0 is never',
      kind: 'string',
      default: DEFAULT_TOKEN_TTL,
    },
    description: { flags: '--description <text>', description: 'what it is for', kind: 'string' },
    usages: {
      flags: '--usages <usages>',
      description: `what it may be used for (default ${DEFAULT_TOKEN_USAGES.join(',')})`,
      kind: 'list',
    },
    groups: {
      flags: '--groups <groups>',
      description: `groups that it authenticates as (default ${DEFAULT_TOKEN_GROUPS.join(',')})`,
      kind: 'list',
    },
    certificateKey: {
      flags: '--certificate-key <key>',
      description:
        'with --print-join-command: the command of a control plane, with the key of the uploaded certificates',
      kind: 'string',
    },
    printJoinCommand: {
      flags: '--print-join-command',
      description: 'print the whole kubeadm join command',
      kind: 'boolean',
    },
  },
  run: async ({ args, options, io, global }) => {
    if (options.certificateKey !== undefined) {
      parseCertificateKey(options.certificateKey);
      if (!options.printJoinCommand) {
        throw new KeelsonError('USAGE', '--certificate-key is for --print-join-command', {
          hint: 'give both, or neither',
        });
      }
    }
    const ttl = parseGoDuration(options.ttl);
    if ('error' in ttl || ttl.ms < 0) {
      const why = 'error' in ttl ? ttl.error : 'is negative';
      throw new KeelsonError('USAGE', `--ttl ${options.ttl}: ${why}`, {
        hint: 'for example 24h0m0s, or 0',
      });
    }
    const spec = {
      token: args[0] ?? generateToken(),
      ttl: options.ttl,
      ...(options.description === undefined ? {} : { description: options.description }),
      usages: options.usages.length > 0 ? options.usages : [...DEFAULT_TOKEN_USAGES],
      groups: options.groups.length > 0 ? options.groups : [...DEFAULT_TOKEN_GROUPS],
    };
    // Made once here for what it refuses; the one that counts is made when the API is there.
    tokenSecret(spec, new Date());
    const config = await clusterConfig(options.config, io);
    return withSession(
      { options, io, global },
      async ({ session }) => {
        const { join } = await createToken(session, spec, options.certificateKey);
        return { data: { ...spec, joinCommand: join }, text: options.printJoinCommand ? join : spec.token };
      },
      { config, quiet: true, bundleOptional: true, hosts: [] },
    );
  },
});
