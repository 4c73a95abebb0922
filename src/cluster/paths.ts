import { KeelsonError } from '../errors/keelson-error.js';

export interface ObjectRef {
  apiVersion: string;
  kind: string;
  namespace?: string | undefined;
  name: string;
}

/** Kinds whose path is known without asking: plural, where it is not the kind in lower case with an `s`. */
const KNOWN: Readonly<Record<string, string>> = {
  ConfigMap: '',
  CronJob: '',
  DaemonSet: '',
  Deployment: '',
  Endpoints: 'endpoints',
  Job: '',
  Lease: '',
  NetworkPolicy: 'networkpolicies',
  Pod: '',
  Role: '',
  RoleBinding: '',
  Secret: '',
  Service: '',
  ServiceAccount: '',
  StatefulSet: '',
};

/** Those of them that belong to the cluster. */
const KNOWN_IN_CLUSTER: Readonly<Record<string, string>> = {
  Namespace: '',
  Node: '',
  ClusterRole: '',
  ClusterRoleBinding: '',
  CustomResourceDefinition: '',
  PriorityClass: 'priorityclasses',
  CertificateSigningRequest: '',
  APIService: '',
};

const BUILT_IN = /^(v1|[a-z0-9]+\/v\w+|[a-z0-9.]+\.k8s\.io\/v\w+)$/;

const groupPath = (apiVersion: string): string =>
  apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;

interface Place {
  plural: string;
  namespaced: boolean;
}

function pathAt(ref: ObjectRef, { plural, namespaced }: Place): string {
  const namespace = namespaced ? `/namespaces/${ref.namespace ?? 'default'}` : '';
  return `${groupPath(ref.apiVersion)}${namespace}/${plural}/${encodeURIComponent(ref.name)}`;
}

/** REST path of an object of a kind that keelson itself writes. */
export function pathOf(ref: ObjectRef): string {
  return pathAt(ref, placeOf(ref) ?? { plural: `${ref.kind.toLowerCase()}s`, namespaced: true });
}

function placeOf({ apiVersion, kind }: ObjectRef): Place | null {
  if (!BUILT_IN.test(apiVersion)) return null;
  const inCluster = KNOWN_IN_CLUSTER[kind];
  const plural = inCluster ?? KNOWN[kind];
  if (plural === undefined) return null;
  return { plural: plural === '' ? `${kind.toLowerCase()}s` : plural, namespaced: inCluster === undefined };
}

/** REST path of any object. Fails with API, status 404, for a kind that the server does not serve (yet). */
export type Locate = (ref: ObjectRef) => Promise<string>;

/** Asks the server for kinds that are not known; what it serves is asked for once, what it does not serve each time. */
export function locator(get: (path: string) => Promise<unknown>): Locate {
  const served = new Map<string, Place>();
  return async (ref) => {
    const key = `${ref.apiVersion} ${ref.kind}`;
    const place = placeOf(ref) ?? served.get(key);
    if (place !== undefined) return pathAt(ref, place);
    const { resources = [] } = (await get(groupPath(ref.apiVersion))) as {
      resources?: { name: string; kind: string; namespaced: boolean }[];
    };
    const found = resources.find(({ kind, name }) => kind === ref.kind && !name.includes('/'));
    if (found === undefined) {
      throw new KeelsonError('API', `the API server does not serve ${ref.kind} of ${ref.apiVersion}`, {
        details: { status: 404 },
        hint: 'its CustomResourceDefinition has to be applied first',
      });
    }
    const asked = { plural: found.name, namespaced: found.namespaced };
    served.set(key, asked);
    return pathAt(ref, asked);
  };
}
