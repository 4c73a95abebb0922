import { isObject } from './json.js';
import type { ManifestObject } from './parse-manifests.js';

/** Kubernetes' own kinds that belong to no namespace (`kubectl api-resources --namespaced=false` of 1.36). */
const CLUSTER_KINDS: readonly string[] = [
  'APIService',
  'CSIDriver',
  'CSINode',
  'CertificateSigningRequest',
  'ClusterRole',
  'ClusterRoleBinding',
  'ClusterTrustBundle',
  'CustomResourceDefinition',
  'DeviceClass',
  'FlowSchema',
  'IPAddress',
  'IngressClass',
  'MutatingAdmissionPolicy',
  'MutatingAdmissionPolicyBinding',
  'MutatingWebhookConfiguration',
  'Namespace',
  'Node',
  'PersistentVolume',
  'PriorityClass',
  'PriorityLevelConfiguration',
  'ResourceSlice',
  'RuntimeClass',
  'ServiceCIDR',
  'StorageClass',
  'StorageVersionMigration',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
  'ValidatingWebhookConfiguration',
  'VolumeAttachment',
  'VolumeAttributesClass',
];

/** Groups of Kubernetes' own kinds; a kind of another group may have one of their names and be namespaced. */
const OWN_GROUP = /^(?:v1|apps\/|batch\/|autoscaling\/|policy\/|(?:[a-z-]+\.)+k8s\.io\/)/;

/** Namespaces that every cluster has. */
const GIVEN_NAMESPACES: readonly string[] = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

/** Moments of Helm's hooks that a cluster which is converged has: the others are for tests, deletion and rollback. */
const INSTALLING = ['pre-install', 'post-install', 'pre-upgrade', 'post-upgrade', 'crd-install'];

/**
 * What of a rendered chart belongs to the cluster, in the namespace of the release: its objects and the hooks of
 * installation and upgrade; and that namespace, where no object is it.
 */
export function chartObjects(rendered: readonly ManifestObject[], namespace: string): ManifestObject[] {
  const kept = rendered.filter(isInstalled);
  const clusterWide = clusterKindsOf(kept);
  const placed = kept.map((object) => {
    const { metadata } = object;
    if (metadata.namespace !== undefined || clusterWide(object)) return object;
    return { ...object, metadata: { ...metadata, namespace } };
  });
  const named = placed.some(({ kind, metadata }) => kind === 'Namespace' && metadata.name === namespace);
  if (named || GIVEN_NAMESPACES.includes(namespace)) return placed;
  return [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }, ...placed];
}

function isInstalled({ metadata }: ManifestObject): boolean {
  const { annotations } = metadata;
  const hook = isObject(annotations) ? annotations['helm.sh/hook'] : undefined;
  if (typeof hook !== 'string') return true;
  return hook.split(',').some((moment) => INSTALLING.includes(moment.trim()));
}

/** Kubernetes' own kinds without namespace, and those that CustomResourceDefinitions among the objects define so. */
function clusterKindsOf(objects: readonly ManifestObject[]): (object: ManifestObject) => boolean {
  const defined = new Set(
    objects.flatMap(({ kind, spec }) => {
      if (kind !== 'CustomResourceDefinition' || !isObject(spec) || spec.scope !== 'Cluster') return [];
      const names = isObject(spec.names) ? spec.names : {};
      return [`${String(spec.group)}/${String(names.kind)}`];
    }),
  );
  return ({ apiVersion, kind }) =>
    OWN_GROUP.test(apiVersion)
      ? CLUSTER_KINDS.includes(kind)
      : defined.has(`${apiVersion.split('/')[0]}/${kind}`);
}
