import { resolve } from 'node:path';
import { presentHosts } from '../../config/inventory.js';
import type { ClusterConfig } from '../../config/types.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { planText } from '../../report/plan-text.js';
import { duration } from '../../report/table.js';
import { refreshKubeconfigs } from '../../workflows/certs/local-kubeconfigs.js';
import {
  namesToRenew,
  planRenewal,
  type RenewSelection,
  renewCertificates,
} from '../../workflows/certs/renew.js';
import { certificateRequests, readSigned, writeRequests } from '../../workflows/certs/requests.js';
import { changesIn } from '../../workflows/plan.js';
import { CA_KEYS_OPTIONS, caKeysOf } from '../ca-keys-options.js';
import { CLUSTER_OPTIONS, clusterConfig, ownerOf, withSession } from '../cluster-options.js';
import { type CliIO, defineCommand } from '../command.js';
import { askFirst, requireAnswer } from '../confirmation.js';
import { localKubeconfigs } from '../local-kubeconfigs.js';
import { outputDirectory } from '../output-path.js';

export const command = defineCommand({
  name: 'certs renew',
  summary: 'new certificates in place of those that end',
  details: `Names are kubeadm's (apiserver, admin.conf, …), kubelet-client, or all. Control planes are renewed one after
the other, each healthy before the next; where no API answers, as when everything has expired, all at once. What
does not read its files again is restarted. Client certificates of kubelets are renewed only where they have expired
or are named. Kubeconfigs beside the cluster file, in $KUBECONFIG and in ~/.kube/config that hold a renewed identity get
the new one.`,
  arguments: '[names...]',
  options: {
    ...CLUSTER_OPTIONS,
    ...CA_KEYS_OPTIONS,
    yes: { flags: '--yes', description: 'do not ask', kind: 'boolean' },
    csrOnly: {
      flags: '--csr-only <folder>',
      description: 'write requests for an authority elsewhere, HOST/NAME.csr; nothing is changed',
      kind: 'string',
    },
    importFrom: {
      flags: '--import <folder>',
      description: 'put certificates in place that were signed elsewhere, HOST/NAME.crt',
      kind: 'string',
    },
    dryRun: {
      flags: '--dry-run',
      description: 'show what would be renewed and change nothing',
      kind: 'boolean',
    },
  },
  run: async ({ args, options, io, global }) => {
    const config = await clusterConfig(options.config, io);
    if (options.csrOnly !== undefined && options.importFrom !== undefined) {
      throw new KeelsonError('USAGE', '--csr-only and --import are two steps', { hint: 'give one of them' });
    }
    const names = args.flat();
    const wanted = namesToRenew(config, { names });
    if (options.csrOnly !== undefined) {
      const folder = await outputDirectory(options.csrOnly, io);
      const requests = await withSession(
        { options, io, global },
        async ({ session }) => certificateRequests(session, wanted),
        { config, bundleOptional: true, quiet: true },
      );
      const files = await writeRequests(folder, requests);
      const text = `${files.length} requests in ${folder}. Put what is signed beside them as NAME.crt, then: keelson certs renew --import ${options.csrOnly}`;
      return { data: { cluster: config.name, files }, text };
    }
    const selection = await selectionOf(names, wanted, options.importFrom, config, io);
    const open = { config, bundleOptional: true, ...(await caKeysOf(options, config.name, io)) };
    requireAnswer(
      options,
      io,
      'certs renew restarts control planes',
      'look at keelson certs renew --dry-run, then give --yes',
    );
    const ended = await askFirst(options, io, {
      look: () =>
        withSession({ options, io, global }, async ({ session }) => planRenewal(session, selection), {
          ...open,
          quiet: true,
        }),
      text: (plan) => (changesIn(plan) === 0 ? 'Nothing to renew.' : planText(plan, { diffs: false })),
      nothing: (plan) => changesIn(plan) === 0,
      question: () => `Renew these certificates of ${config.name}?`,
      refused: 'nothing was renewed',
    });
    if (ended !== null) return ended;
    return withSession(
      { options, io, global },
      async ({ session }) => {
        const result = await renewCertificates(session, { ...selection, owner: ownerOf(), stop: io.stop });
        const { changed, durationMs, identities } = result;
        const refreshed = await refreshKubeconfigs(localKubeconfigs(options.config, io), {
          identities: identities.map(({ content }) => content),
        });
        const lines = [
          changed === 0
            ? 'Nothing to renew.'
            : `Renewed certificates of ${config.name} in ${duration(durationMs)}: ${changed} changes.`,
          ...refreshed.map((file) => `${file} has the new identity.`),
        ];
        return { data: { cluster: config.name, changed, durationMs, refreshed }, text: lines.join('\n') };
      },
      open,
    );
  },
});

/** With certificates from a folder, those that it has. */
async function selectionOf(
  names: readonly string[],
  wanted: ReadonlySet<string>,
  folder: string | undefined,
  config: ClusterConfig,
  io: CliIO,
): Promise<RenewSelection> {
  if (folder === undefined) return { names };
  const hosts = presentHosts(config).map(({ name }) => name);
  const signed = await readSigned(resolve(io.cwd, folder), hosts);
  const given = new Map([...signed].filter(([key]) => wanted.has(key.slice(key.indexOf(':') + 1))));
  return { names, given };
}
