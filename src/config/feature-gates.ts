import type { ClusterConfiguration, EncryptionAlgorithm } from './types.js';

/** kubeadm's InitFeatureGates by minor version (cmd/kubeadm/app/features at v1.34.4, v1.35.4 and v1.36.3). */
const GATES: Readonly<Record<string, readonly string[]>> = {
  '1.34': [
    'ControlPlaneKubeletLocalMode',
    'NodeLocalCRISocket',
    'PublicKeysECDSA',
    'RootlessControlPlane',
    'WaitForAllControlPlaneComponents',
  ],
  '1.35': ['ControlPlaneKubeletLocalMode', 'NodeLocalCRISocket', 'PublicKeysECDSA', 'RootlessControlPlane'],
  '1.36': ['NodeLocalCRISocket', 'PublicKeysECDSA', 'RootlessControlPlane'],
};

/** Minor versions of Kubernetes that keelson knows the files and flags of: `1.34`, `1.35`, `1.36`. */
export const KNOWN_MINORS: readonly string[] = Object.keys(GATES);

/** Names of kubeadm's feature gates in a version such as `v1.36.3`; null for versions not known here. */
export function knownFeatureGates(kubernetesVersion: string): readonly string[] | null {
  const minor = /^v?(\d+\.\d+)/.exec(kubernetesVersion)?.[1] ?? '';
  return GATES[minor] ?? null;
}

/**
 * The algorithm that keys are made with. kubeadm's old gate PublicKeysECDSA goes first where it is set: true
 * is ECDSA-P256, false is RSA-2048.
 */
export function keyAlgorithm(cluster: ClusterConfiguration): EncryptionAlgorithm {
  const gate = cluster.featureGates?.PublicKeysECDSA;
  if (gate === undefined) return cluster.encryptionAlgorithm;
  return gate ? 'ECDSA-P256' : 'RSA-2048';
}
