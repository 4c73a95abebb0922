import { clusterCa } from './cluster-ca.js';
import { etcdCa } from './etcd-ca.js';
import { frontProxyCa } from './front-proxy-ca.js';
import type { RotationKind } from './kind.js';
import { serviceAccountKey } from './service-account-key.js';
import type { Rotatable } from './state.js';

const KINDS: Readonly<Record<Rotatable, RotationKind>> = {
  'cluster-ca': clusterCa,
  'etcd-ca': etcdCa,
  'front-proxy-ca': frontProxyCa,
  sa: serviceAccountKey,
};

export const kindNamed = (name: Rotatable): RotationKind => KINDS[name];
