import type { KeyObject } from 'node:crypto';
import type { EncryptionAlgorithm } from '../../../src/config/types.js';
import { contentsOf, issueClusterPki, issueHostPki } from '../../../src/pki/cluster-pki.js';
import type { IssueContext } from '../../../src/pki/issue.js';
import { generateKey } from '../../../src/pki/keys.js';
import { type BuildOptions, buildConfig } from '../../kubeadm/config-builder.js';

export const NOW = new Date('2026-11-23T12:00:00.750Z');
export const DAY = 86_400_000;

/** A context at `now` with fresh keys. */
export function contextAt(now: Date): IssueContext {
  return { now };
}

/** A context whose serial numbers and keys are the same each time. */
export async function fixedContext(
  algorithm: EncryptionAlgorithm,
): Promise<IssueContext & { key: KeyObject }> {
  const key = await generateKey(algorithm);
  return { now: NOW, random: (size) => Buffer.alloc(size, 0xa7), generateKey: async () => key, key };
}

/** An ECDSA cluster with one control plane. */
export function scope(options: Partial<BuildOptions> = {}) {
  const { config, host } = buildConfig({
    kubernetesVersion: 'v1.36.3',
    ...options,
    cluster: { encryptionAlgorithm: 'ECDSA-P256', ...options.cluster },
  });
  return { cluster: config.cluster, host };
}

/** All files of that control plane, issued at NOW. */
export async function issuedFiles(given = scope(), now = NOW): Promise<Map<string, Buffer>> {
  const context = contextAt(now);
  const shared = contentsOf(await issueClusterPki({ cluster: given.cluster, context }));
  const own = contentsOf(await issueHostPki({ ...given, existing: shared, context }));
  return new Map([...shared, ...own]);
}
