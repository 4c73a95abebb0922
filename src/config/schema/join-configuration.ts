import * as z from 'zod';
import { checkAbsolute, checked, checkHostPort, checkToken, names } from './common.js';
import {
  apiEndpoint,
  checkCertificateKey,
  nodeRegistration,
  patches,
  skipPhases,
  timeouts,
} from './kubeadm-common.js';

const discovery = z
  .strictObject({
    bootstrapToken: z
      .strictObject({
        token: checked(checkToken).describe('Bootstrap token.'),
        apiServerEndpoint: checked(checkHostPort).optional().describe('host:port of the API server.'),
        caCertHashes: names('Pins of the cluster CA, sha256:…').optional(),
        unsafeSkipCAVerification: z.boolean().optional().describe('Trust whatever answers.'),
      })
      .optional()
      .describe('Discovery by token.'),
    file: z
      .strictObject({ kubeConfigPath: z.string().describe('Path or URL of a kubeconfig.') })
      .optional()
      .describe('Discovery by file.'),
    tlsBootstrapToken: checked(checkToken).optional().describe("Token of the kubelet's TLS bootstrap."),
  })
  .describe('Accepted and ignored: keelson makes a token for each host that joins.');

/** kubeadm.k8s.io/v1beta4 JoinConfiguration, as a user writes it. */
export const joinConfiguration = z
  .strictObject({
    apiVersion: z.literal('kubeadm.k8s.io/v1beta4'),
    kind: z.literal('JoinConfiguration'),
    dryRun: z.boolean().optional().describe('Accepted and ignored: keelson has `plan`.'),
    nodeRegistration: nodeRegistration.optional().describe('Of all hosts but the first control plane.'),
    caCertPath: checked(checkAbsolute).optional().describe('Accepted and ignored.'),
    discovery: discovery.optional(),
    controlPlane: z
      .strictObject({
        localAPIEndpoint: apiEndpoint.optional().describe('API server of the control planes that join.'),
        certificateKey: checked(checkCertificateKey).optional().describe('Accepted and ignored.'),
      })
      .optional()
      .describe('Settings of the control planes that join.'),
    skipPhases: skipPhases.optional().describe('Accepted and ignored.'),
    patches: patches.optional().describe('Patches for all hosts but the first control plane.'),
    timeouts: timeouts.optional(),
  })
  .describe("kubeadm's configuration of the hosts that join.");
