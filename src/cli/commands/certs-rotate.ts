import { access, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Decryption } from '../../backup/encryption.js';
import { readSealed } from '../../backup/sealed.js';
import type { ClusterConfig } from '../../config/types.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import type { CertAndKey } from '../../pki/issue.js';
import { authorityOfChain, refuseUnfitAuthority } from '../../pki/own-authority.js';
import { duration } from '../../report/table.js';
import { type FreshTrust, refreshKubeconfigs } from '../../workflows/certs/local-kubeconfigs.js';
import { rotatableIn } from '../../workflows/rotate/kinds.js';
import { planRotation, type RotationPlan } from '../../workflows/rotate/plan.js';
import { type RotateResult, rollBack, rotate } from '../../workflows/rotate/rotate.js';
import { FORWARD, ROTATABLE, type Rotatable } from '../../workflows/rotate/state.js';
import { CLUSTER_OPTIONS, clusterConfig, ownerOf, withSession } from '../cluster-options.js';
import { defineCommand } from '../command.js';
import { requireAnswer } from '../confirmation.js';
import { DECRYPT_OPTIONS, decryptionOf } from '../encryption-options.js';
import { localKubeconfigs } from '../local-kubeconfigs.js';

const RULES = ['rolling', 'none'] as const;

export const command = defineCommand({
  name: 'certs rotate',
  summary: 'replace CAs in a running cluster, step by step',
  details: `What: ${ROTATABLE.join(', ')}; all for those that the cluster has, one after the other; rollback takes back what is under way, as long as
the old one is not dropped. Steps: trust both, replace the pods that hold the old one, issue from the new one, verify
that nothing is of the old one alone, drop it. Interrupted, the same command goes on. Kubeconfigs beside the cluster file,
in $KUBECONFIG and in ~/.kube/config follow the cluster's CA.`,
  arguments: '<what>',
  options: {
    ...CLUSTER_OPTIONS,
    plan: {
      flags: '--plan',
      description: 'show the steps and what they mean, and change nothing',
      kind: 'boolean',
    },
    yes: { flags: '--yes', description: 'do it', kind: 'boolean' },
    until: {
      flags: '--until <step>',
      description: 'end after this step; the same command without it goes on',
      kind: 'string',
      choices: FORWARD,
    },
    authority: {
      flags: '--authority <folder>',
      description:
        'folder with ca.crt (the chain above it behind it, or in chain.crt) and ca.key or ca.key.age, which become the new CA; else one is made',
      kind: 'string',
    },
    ...DECRYPT_OPTIONS,
    restartWorkloads: {
      flags: '--restart-workloads <rule>',
      description:
        'whether pods that hold the old CA are replaced, workload after workload (default rolling)',
      kind: 'string',
      choices: RULES,
    },
  },
  run: async ({ args, options, io, global }) => {
    const [what = ''] = args;
    const back = what === 'rollback';
    const rule = RULES.find((name) => name === options.restartWorkloads);
    const until = FORWARD.find((step) => step === options.until);
    const asked = { yes: options.yes, dryRun: options.plan };
    requireAnswer(
      asked,
      io,
      'a rotation is to be confirmed',
      'look at keelson certs rotate --plan, then give --yes',
    );
    const config = await clusterConfig(options.config, io);
    const wanted = back ? [] : wantedOf(what, config);
    const given =
      options.authority === undefined
        ? {}
        : {
            given: await authorityIn(resolve(io.cwd, options.authority), wanted, () =>
              decryptionOf(options, io),
            ),
          };
    return withSession(
      { options, io, global },
      async ({ session }) => {
        if (options.plan) {
          const plan = await planRotation(session, wanted, rule);
          return { data: plan, text: planLines(plan) };
        }
        if (!options.yes && !(await io.confirm(question(what, config.name)))) {
          throw new KeelsonError('ABORTED', 'nothing was changed', { hint: 'see --plan; --yes does it' });
        }
        const kubeconfigs = localKubeconfigs(options.config, io);
        const common = {
          owner: ownerOf(),
          stop: io.stop,
          tell: (fresh: FreshTrust) => refreshKubeconfigs(kubeconfigs, fresh),
        };
        const result = back
          ? await rollBack(session, common)
          : await rotate(session, wanted, {
              ...common,
              ...given,
              ...(rule === undefined ? {} : { restartWorkloads: rule }),
              ...(until === undefined ? {} : { until }),
            });
        return { data: result, text: resultText(result, back) };
      },
      { config, quiet: options.plan, bundleOptional: true },
    );
  },
});

/** The pair in a folder, of an intermediate authority or one that signed itself. */
async function authorityIn(
  folder: string,
  wanted: readonly Rotatable[],
  how: () => Promise<Decryption>,
): Promise<CertAndKey> {
  const [what, ...more] = wanted;
  if (what === undefined || more.length > 0 || !what.endsWith('-ca')) {
    throw new KeelsonError('USAGE', '--authority is for one CA', {
      hint: 'rotate cluster-ca, etcd-ca or front-proxy-ca with it, one after the other',
    });
  }
  const paths = { cert: join(folder, 'ca.crt'), key: join(folder, 'ca.key') };
  const sealed = `${paths.key}.age`;
  const certs = await textOf(paths.cert);
  const above = (await exists(join(folder, 'chain.crt'))) ? await textOf(join(folder, 'chain.crt')) : '';
  const keyPem =
    !(await exists(paths.key)) && (await exists(sealed))
      ? (await readSealed(sealed, how)).toString()
      : await textOf(paths.key);
  const now = new Date();
  const pair = { certPem: authorityOfChain(certs, above, paths.cert, now), keyPem };
  refuseUnfitAuthority(pair, paths, now);
  return pair;
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new KeelsonError('USAGE', `${path} can’t be read`, {
      cause,
      hint: 'the folder holds the new authority as ca.crt, and ca.key or ca.key.age',
    });
  }
}

function wantedOf(what: string, config: ClusterConfig): readonly Rotatable[] {
  if (what === 'all') return rotatableIn(config);
  const known = ROTATABLE.find((name) => name === what);
  if (known !== undefined) return [known];
  throw new KeelsonError('USAGE', `${what} is nothing that can be rotated`, {
    hint: `there are ${ROTATABLE.join(', ')}, all and rollback`,
  });
}

const question = (what: string, cluster: string): string =>
  what === 'rollback' ? `Take the rotation in ${cluster} back?` : `Rotate ${what} of ${cluster}?`;

function planLines(plan: RotationPlan): string {
  const { underWay } = plan;
  const begun =
    underWay === null
      ? []
      : [
          `Under way since ${underWay.since}${underWay.direction === 'back' ? ', being rolled back' : ''}; left:`,
        ];
  const steps = plan.rotations.flatMap(({ what, steps: left, consequences }) => [
    `${what}:`,
    ...left.map(({ step, does }) => `  ${step.padEnd(8)} ${does}`),
    ...consequences.map((text) => `  note: ${text}.`),
  ]);
  const list = (title: string, names: readonly string[]) =>
    names.length === 0 ? [] : [title, ...names.map((name) => `  ${name}`)];
  return [
    ...list('It would be refused now:', plan.obstacles),
    ...begun,
    ...steps,
    ...list('Pods replaced, workload after workload:', plan.restarts),
    ...list('Left with the old one until someone restarts them:', plan.told),
  ].join('\n');
}

function resultText({ rotated, state, durationMs }: RotateResult, back: boolean): string {
  const time = duration(durationMs);
  if (back) return `Rolled back in ${time}: all is as it was.`;
  const done = rotated.length === 0 ? '' : `${rotated.join(', ')}: rotated. `;
  if (state === null) {
    const stale = rotated.includes('cluster-ca')
      ? ' Kubeconfigs elsewhere are stale: keelson kubeconfig gets a new one.'
      : '';
    return `${done}In ${time}.${stale}`;
  }
  return `${done}${state.what}: ended after ${state.done.at(-1) ?? 'the beginning'}, in ${time}. The same command goes on; keelson certs rotate rollback takes it back.`;
}
