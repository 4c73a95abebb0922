import { parseGoDuration } from '../../config/go-duration.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { saveKubeconfig } from '../../workflows/kubeconfig.js';
import { refuseUnsignable, userKubeconfig } from '../../workflows/user-kubeconfig.js';
import { CLUSTER_OPTIONS, clusterConfig, withSession } from '../cluster-options.js';
import { defineCommand } from '../command.js';
import { outputFile } from '../output-path.js';

/** A day's work. */
const DEFAULT_TTL = '8h0m0s';

export const command = defineCommand({
  name: 'kubeconfig create',
  summary: 'a kubeconfig for a user, with a short-lived client certificate',
  details: `The private key is made here and is nowhere else; the file has mode 0600. The certificate says who somebody is and in
which groups. Rights come from RBAC: kubectl create clusterrolebinding … --user NAME, or --group GROUP. A client
certificate can't be revoked: keep --ttl short.`,
  options: {
    ...CLUSTER_OPTIONS,
    user: { flags: '--user <name>', description: 'name of the user', kind: 'string' },
    groups: {
      flags: '--groups <groups>',
      description: 'groups of the user, separated by commas',
      kind: 'list',
    },
    ttl: {
      flags: '--ttl <duration>',
      description: 'time until it expires',
      kind: 'string',
      default: DEFAULT_TTL,
    },
    by: {
      flags: '--by <signer>',
      description: 'csr: the cluster signs, through its API; ca: keelson does, with the CA’s key',
      kind: 'string',
      choices: ['csr', 'ca'],
      default: 'csr',
    },
    out: {
      flags: '--out <file>',
      description: 'file to write (default NAME.kubeconfig here); - prints it, and it is a secret',
      kind: 'string',
    },
    replace: { flags: '--replace', description: 'overwrite a file that is there', kind: 'boolean' },
  },
  run: async ({ options, io, global }) => {
    const user = options.user?.trim() ?? '';
    if (user === '') {
      throw new KeelsonError('USAGE', 'whose kubeconfig is it?', { hint: 'give --user NAME' });
    }
    const ttl = parseGoDuration(options.ttl);
    if ('error' in ttl || ttl.ms <= 0) {
      throw new KeelsonError(
        'USAGE',
        `--ttl ${options.ttl}: ${'error' in ttl ? ttl.error : 'is not positive'}`,
        {
          hint: 'for example 30m, 8h, 720h',
        },
      );
    }
    const config = await clusterConfig(options.config, io);
    const by = options.by === 'ca' ? 'ca' : 'csr';
    const spec = { user, groups: options.groups, ttlMs: ttl.ms, by } as const;
    refuseUnsignable(spec);
    const out = options.out ?? `${user.replaceAll(/[^\w.@-]/g, '_')}.kubeconfig`;
    const file =
      out === '-' ? null : await outputFile(out, io, { makesFolder: true, isNew: !options.replace });
    const { text, expires } = await withSession(
      { options, io, global },
      async ({ session }) => userKubeconfig(session, spec),
      { config, quiet: true, bundleOptional: true, hosts: [] },
    );
    const who = { cluster: config.name, user, groups: options.groups, expires };
    if (file === null) return { data: { ...who, kubeconfig: text }, text };
    await saveKubeconfig(text, file, { merge: false, replace: options.replace, use: false });
    return { data: { ...who, file }, text: `${file} written: ${user}, until ${expires}` };
  },
});
