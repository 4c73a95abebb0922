import * as z from 'zod';
import { checkDuration, checked, checkToken, required } from './common.js';
import {
  apiEndpoint,
  checkCertificateKey,
  nodeRegistration,
  patches,
  skipPhases,
  timeouts,
} from './kubeadm-common.js';

const checkGroup = (value: string): string | undefined =>
  /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/.test(value)
    ? undefined
    : `"${value}" is no group of bootstrap tokens; it begins with system:bootstrappers:`;

const bootstrapToken = z.strictObject({
  token: required(checkToken).describe('The token, id.secret.'),
  description: z.string().optional().describe('What it is for.'),
  ttl: checked(checkDuration)
    .optional()
    .describe('Time to live, a Go duration; 0s never expires; default 24h0m0s.'),
  expires: checked((value) => (Number.isNaN(Date.parse(value)) ? 'no RFC 3339 time' : undefined))
    .optional()
    .describe('Time of expiry (RFC 3339), in place of ttl.'),
  usages: z
    .array(z.enum(['signing', 'authentication']))
    .optional()
    .describe('Default both.'),
  groups: z
    .array(required(checkGroup))
    .optional()
    .describe('Default system:bootstrappers:kubeadm:default-node-token.'),
});

/** kubeadm.k8s.io/v1beta4 InitConfiguration, as a user writes it. */
export const initConfiguration = z
  .strictObject({
    apiVersion: z.literal('kubeadm.k8s.io/v1beta4'),
    kind: z.literal('InitConfiguration'),
    bootstrapTokens: z.array(bootstrapToken).optional().describe('Bootstrap tokens to be made.'),
    dryRun: z.boolean().optional().describe('Accepted and ignored: keelson has `plan`.'),
    nodeRegistration: nodeRegistration.optional().describe('Of the first control plane.'),
    localAPIEndpoint: apiEndpoint.optional().describe('API server of the first control plane.'),
    certificateKey: checked(checkCertificateKey)
      .optional()
      .describe('Key that --upload-certs encrypts with; keelson itself needs no uploaded certificates.'),
    skipPhases: skipPhases.optional(),
    patches: patches.optional().describe('Patches for the first control plane.'),
    timeouts: timeouts.optional(),
  })
  .describe("kubeadm's configuration of the first control plane.");

export type InitConfigurationInput = z.output<typeof initConfiguration>;
