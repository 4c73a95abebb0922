import type { ClusterConfig } from '../../config/types.js';
import { clusterCa } from './cluster-ca.js';
import { encryptionKey } from './encryption-key.js';
import { etcdCa } from './etcd-ca.js';
import { frontProxyCa } from './front-proxy-ca.js';
import type { RotationKind } from './kind.js';
import { serviceAccountKey } from './service-account-key.js';
import { ROTATABLE, type Rotatable } from './state.js';

const KINDS: Readonly<Record<Rotatable, RotationKind>> = {
  'cluster-ca': clusterCa,
  'etcd-ca': etcdCa,
  'front-proxy-ca': frontProxyCa,
  sa: serviceAccountKey,
  'encryption-key': encryptionKey,
};

export const kindNamed = (name: Rotatable): RotationKind => KINDS[name];

/** All that a cluster has. */
export const rotatableIn = (config: ClusterConfig): Rotatable[] =>
  ROTATABLE.filter((name) => KINDS[name].refusal(config) === null);
