import { KeelsonError } from '../../errors/keelson-error.js';
import { uploadCerts } from '../../phases/join/upload-certs.js';
import { planText } from '../../report/plan-text.js';
import { duration } from '../../report/table.js';
import { planPhases, runPhases } from '../../workflows/phase-run.js';
import { PREFLIGHT, phasesNamed, refuseNoTarget } from '../../workflows/phase-selection.js';
import { findingsTable, runPreflight } from '../../workflows/preflight.js';
import {
  CLUSTER_OPTIONS,
  certificateKeyOf,
  clusterConfig,
  hostSelection,
  ownerOf,
  PREFLIGHT_OPTIONS,
  UPLOAD_OPTIONS,
  withSession,
} from '../cluster-options.js';
import { defineCommand } from '../command.js';

export const command = defineCommand({
  name: 'phase run',
  summary: 'one phase alone',
  details:
    'As kubeadm init phase. A group runs all its phases: certs, kubeconfig, control-plane. What a phase needs has to stand already: keelson phase list -o wide.',
  arguments: '<name>',
  options: {
    ...CLUSTER_OPTIONS,
    ...PREFLIGHT_OPTIONS,
    ...UPLOAD_OPTIONS,
    host: { flags: '--host <names>', description: 'only on these hosts', kind: 'list' },
    dryRun: { flags: '--dry-run', description: 'show what would change and change nothing', kind: 'boolean' },
  },
  run: async ({ args, options, io, global }) => {
    const [name] = args;
    if (name === undefined)
      throw new KeelsonError('USAGE', 'no phase was named', { hint: 'keelson phase list names all of them' });
    const preflight = name === PREFLIGHT.name;
    const phases = preflight ? [] : phasesNamed(name);
    const config = await clusterConfig(options.config, io);
    const hosts = hostSelection(options.host, config);
    if (!preflight) refuseNoTarget(phases, config, hosts.hosts);
    const uploads = phases.some((phase) => phase.name === uploadCerts.name);
    if (
      !uploads &&
      (options.uploadCerts || options.certificateKey !== undefined || options.skipCertificateKeyPrint)
    )
      throw new KeelsonError('USAGE', `${name} uploads no certificates`, {
        hint: `leave --upload-certs and --certificate-key out, or run ${uploadCerts.name}`,
      });
    const certificateKey = uploads ? certificateKeyOf(options.certificateKey, config) : undefined;
    return withSession(
      { options, io, global },
      async ({ session }) => {
        if (preflight) {
          const findings = await runPreflight(session, {
            ...hosts,
            ignore: options.ignorePreflightErrors,
          });
          return { data: findings, text: findingsTable(findings, { all: true }) };
        }
        if (options.dryRun) {
          const plan = await planPhases(session, { phases, ...hosts });
          return { data: plan, text: planText(plan, { diffs: true }) };
        }
        const run = `phase ${name}`;
        const result = await runPhases(session, { phases, ...hosts, run, stop: io.stop, owner: ownerOf() });
        const summary = {
          phases: phases.map((phase) => phase.name),
          changed: result.changed,
          durationMs: result.durationMs,
        };
        const text =
          result.changed === 0
            ? `Nothing to change: ${name} is as it should be.`
            : `${name}: ${result.changed} changes in ${duration(result.durationMs)}.`;
        if (certificateKey === undefined || options.skipCertificateKeyPrint) return { data: summary, text };
        return {
          data: { ...summary, certificateKey },
          text: `${text} Certificate key:\n${certificateKey}`,
        };
      },
      {
        config,
        quiet: options.dryRun,
        ...hosts,
        // The upload is the first control plane's and the API's alone.
        ...(certificateKey === undefined ? {} : { certificateKey, hosts: [] }),
      },
    );
  },
});
