/**
 * How strategic merge treats the lists of a type. A field that is not named merges as a map, and as a list
 * is replaced as a whole.
 */
export interface MergeSchema {
  [field: string]: FieldSchema;
}

export interface FieldSchema {
  /** Lists of maps: elements with the same value of this key are merged. */
  mergeKey?: string;
  /** Lists of scalars: joined without duplicates. */
  union?: true;
  /** Fields of the map, or of the list's elements. */
  fields?: MergeSchema;
}

// From the patchStrategy and patchMergeKey tags of k8s.io/api core/v1, apps/v1 and meta/v1.
const CONTAINER: MergeSchema = {
  ports: { mergeKey: 'containerPort' },
  env: { mergeKey: 'name' },
  volumeMounts: { mergeKey: 'mountPath' },
  volumeDevices: { mergeKey: 'devicePath' },
};

const METADATA: FieldSchema = {
  fields: { ownerReferences: { mergeKey: 'uid' }, finalizers: { union: true } },
};

const POD_SPEC: FieldSchema = {
  fields: {
    volumes: { mergeKey: 'name' },
    initContainers: { mergeKey: 'name', fields: CONTAINER },
    containers: { mergeKey: 'name', fields: CONTAINER },
    ephemeralContainers: { mergeKey: 'name', fields: CONTAINER },
    imagePullSecrets: { mergeKey: 'name' },
    hostAliases: { mergeKey: 'ip' },
    topologySpreadConstraints: { mergeKey: 'topologyKey' },
    schedulingGates: { mergeKey: 'name' },
    resourceClaims: { mergeKey: 'name' },
  },
};

export const POD_SCHEMA: MergeSchema = { metadata: METADATA, spec: POD_SPEC };

export const DEPLOYMENT_SCHEMA: MergeSchema = {
  metadata: METADATA,
  spec: { fields: { template: { fields: { metadata: METADATA, spec: POD_SPEC } } } },
};

/** KubeletConfiguration has no merge keys: all of its lists are replaced. */
export const KUBELET_SCHEMA: MergeSchema = {};
