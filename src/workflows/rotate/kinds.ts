import { clusterCa } from './cluster-ca.js';
import type { RotationKind } from './kind.js';
import type { Rotatable } from './state.js';

const KINDS: Readonly<Record<Rotatable, RotationKind>> = {
  'cluster-ca': clusterCa,
};

export const kindNamed = (name: Rotatable): RotationKind => KINDS[name];
