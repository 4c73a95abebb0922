import { firstControlPlane } from '../../config/inventory.js';
import { duration } from '../../report/table.js';
import { initCluster } from '../../workflows/init.js';
import {
  BUNDLE_OPTION,
  CLUSTER_OPTIONS,
  certificateKeyOf,
  clusterConfig,
  ownerOf,
  PREFLIGHT_OPTIONS,
  requireUpload,
  UPLOAD_OPTIONS,
  withSession,
} from '../cluster-options.js';
import { defineCommand } from '../command.js';

export const command = defineCommand({
  name: 'init',
  summary: 'the first control plane only',
  details:
    'As kubeadm init: the first control plane, the network and the add-ons. Then: keelson join, or keelson apply.',
  options: { ...CLUSTER_OPTIONS, ...BUNDLE_OPTION, ...PREFLIGHT_OPTIONS, ...UPLOAD_OPTIONS },
  run: async ({ options, io, global }) => {
    const config = await clusterConfig(options.config, io);
    const { name } = firstControlPlane(config);
    requireUpload(options);
    const key = options.uploadCerts ? certificateKeyOf(options.certificateKey, config) : undefined;
    const shown = options.skipCertificateKeyPrint ? undefined : key;
    return withSession(
      { options, io, global },
      async ({ session }) => {
        const { changed, durationMs } = await initCluster(session, {
          stop: io.stop,
          owner: ownerOf(),
          ignorePreflightErrors: options.ignorePreflightErrors,
        });
        const state =
          changed === 0
            ? `Nothing to change: ${name} is what the file says.`
            : `${name} is up: ${changed} changes in ${duration(durationMs)}.`;
        const uploaded =
          shown === undefined
            ? ''
            : `\nCertificates are uploaded for two hours. To join a control plane with kubeadm:\n  keelson token create --print-join-command --certificate-key ${shown}`;
        return {
          data: {
            cluster: config.name,
            host: name,
            changed,
            durationMs,
            ...(shown === undefined ? {} : { certificateKey: shown }),
          },
          text: `${state}${uploaded}`,
        };
      },
      {
        config,
        bundle: options.bundle,
        obtainBundle: true,
        hosts: [name],
        ...(key === undefined ? {} : { certificateKey: key }),
      },
    );
  },
});
