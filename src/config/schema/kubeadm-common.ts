import * as z from 'zod';
import {
  checkAddress,
  checkDnsName,
  checked,
  checkLabelValue,
  checkQualifiedName,
  duration,
  names,
  port,
  required,
} from './common.js';

/** What kubeadm's documents share (v1beta4). */

const checkArgName = (value: string): string | undefined =>
  value.startsWith('-') ? 'flag names are written without leading dashes' : undefined;

export const args = (description: string) =>
  z
    .array(
      z.strictObject({
        name: required(checkArgName).describe('Name of the flag, without dashes.'),
        value: z.string().default('').describe('Value; a string, so quote numbers and booleans.'),
      }),
    )
    .describe(description);

/** A field of the pod is looked up in v1 unless it says otherwise, as kubeadm fills it in. */
function withApiVersion(source: Record<string, unknown>): Record<string, unknown> {
  const field = source.fieldRef;
  if (field === null || typeof field !== 'object') return source;
  return { ...source, fieldRef: { apiVersion: 'v1', ...field } };
}

export const envs = z
  .array(
    z
      .strictObject({
        name: required(() => undefined).describe('Name of the environment variable.'),
        value: z.string().default('').describe('Its value.'),
        valueFrom: z.record(z.string(), z.unknown()).optional().describe('Source of the value, as in a pod.'),
      })
      .transform(({ valueFrom, ...variable }) =>
        valueFrom === undefined ? variable : { ...variable, valueFrom: withApiVersion(valueFrom) },
      ),
  )
  .describe('Environment variables added to the container.');

const volumes = z
  .array(
    z.strictObject({
      name: required(checkDnsName).describe('Name of the volume in the pod.'),
      hostPath: required(() => undefined).describe('Path on the host.'),
      mountPath: required(() => undefined).describe('Path in the container.'),
      readOnly: z.boolean().optional().describe('Mount it read-only.'),
      pathType: z
        .enum([
          '',
          'DirectoryOrCreate',
          'Directory',
          'FileOrCreate',
          'File',
          'Socket',
          'CharDevice',
          'BlockDevice',
        ])
        .optional()
        .describe('hostPath type.'),
    }),
  )
  .describe('Host paths mounted into the container.');

export const controlPlaneComponent = {
  extraArgs: args('Flags added to those that kubeadm sets, or in their place.').optional(),
  extraVolumes: volumes.optional(),
  extraEnvs: envs.optional(),
};

export const taints = z
  .array(
    z.strictObject({
      key: required(checkQualifiedName).describe('Taint key.'),
      value: checked(checkLabelValue).optional().describe('Taint value.'),
      effect: z
        .enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute'])
        .describe('Effect on pods without toleration.'),
      timeAdded: z.string().optional().describe('Accepted and ignored.'),
    }),
  )
  .describe('Taints of the node. Absent: the control-plane taint on control planes. []: none.');

const checkSocket = (value: string): string | undefined =>
  value.startsWith('unix:///') ? undefined : `"${value}" is no CRI socket; write unix:///path`;

export const nodeRegistration = z
  .strictObject({
    name: checked(checkDnsName).optional().describe('Name of the Node object.'),
    criSocket: checked(checkSocket)
      .optional()
      .describe('CRI socket; default unix:///var/run/containerd/containerd.sock.'),
    taints: taints.optional(),
    kubeletExtraArgs: args('Flags of the kubelet.').optional(),
    ignorePreflightErrors: names('Preflight checks to report as warnings.').optional(),
    imagePullPolicy: z
      .enum(['', 'Always', 'IfNotPresent', 'Never'])
      .optional()
      .describe('Default IfNotPresent.'),
    imagePullSerial: z.boolean().optional().describe('Pull images one after the other; default true.'),
  })
  .describe('How the node registers itself.');

export const apiEndpoint = z
  .strictObject({
    advertiseAddress: checked(checkAddress).optional().describe('IP address that the API server advertises.'),
    bindPort: port('1 to 65535.')
      .or(z.literal(0))
      .optional()
      .describe('Port of the API server; default 6443.'),
  })
  .describe('The API server on this node.');

export const patches = z
  .strictObject({
    directory: z
      .string()
      .optional()
      .describe('Directory with patch files, on the machine where keelson runs.'),
  })
  .describe('Patches for static pods and the kubelet configuration.');

export const timeouts = z
  .strictObject({
    controlPlaneComponentHealthCheck: duration(
      'For a control-plane component to be healthy; default 4m0s.',
    ).optional(),
    kubeletHealthCheck: duration('For the kubelet to be healthy; default 4m0s.').optional(),
    kubernetesAPICall: duration('For a call of the Kubernetes API; default 1m0s.').optional(),
    etcdAPICall: duration('For a call of etcd; default 2m0s.').optional(),
    tlsBootstrap: duration("For the kubelet's TLS bootstrap; default 5m0s.").optional(),
    discovery: duration('For discovery; default 5m0s.').optional(),
    upgradeManifests: duration('For static pods to be replaced; default 5m0s.').optional(),
  })
  .describe('How long to wait for what.');

export const skipPhases = names('Phases to be left out.');

export const checkCertificateKey = (value: string): string | undefined =>
  /^[0-9a-f]{64}$/i.test(value)
    ? undefined
    : 'no certificate key: 64 hexadecimal digits (32 bytes) are needed';
