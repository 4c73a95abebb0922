import type { DaemonSet, Deployment } from 'kubernetes-types/apps/v1.js';
import type { Container, Namespace, PodSpec, Service, ServiceAccount } from 'kubernetes-types/core/v1.js';

/** Label of everything that verify makes; its value is the run. */
export const PROBE_LABEL = 'keelson.dev/verify';
/** Port on which every probe pod serves HTTP. */
export const PROBE_PORT = 8080;
/** Service in front of all probe pods, with a cluster IP and a node port. */
export const PROBE_SERVICE = 'probe';
/** Headless service, which gives each probe pod a name of its own. */
export const PROBE_HEADLESS = 'probe-pods';
/** Values of the label `app`: a pod on every node, and the one that is to be rescheduled. */
export const PROBE_APP = 'probe';
export const WANDERER_APP = 'wanderer';

const SERVICE_ACCOUNT = 'probe';

export interface ProbeSettings {
  namespace: string;
  /** Reference of the agnhost image, which is on the nodes already. */
  image: string;
}

type Typed<T> = T & { apiVersion: string; kind: string };

function namespaceObject(settings: ProbeSettings): Typed<Namespace> {
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: settings.namespace, labels: { [PROBE_LABEL]: settings.namespace } },
  };
}

/** A service account of its own, so that no pod has to wait for the namespace's default one. */
export function probeAccount(settings: ProbeSettings): Typed<ServiceAccount> {
  return {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: SERVICE_ACCOUNT, namespace: settings.namespace },
    automountServiceAccountToken: false,
  };
}

function service(settings: ProbeSettings, name: string, spec: Service['spec']): Typed<Service> {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: settings.namespace },
    spec: {
      ...spec,
      ipFamilyPolicy: 'PreferDualStack',
      selector: { app: PROBE_APP },
      ports: [{ name: 'http', port: PROBE_PORT, targetPort: PROBE_PORT, protocol: 'TCP' }],
    },
  };
}

/** Fits the restricted pod security standard, so that a strict cluster admits it. */
function container(settings: ProbeSettings): Container {
  return {
    name: 'agnhost',
    image: settings.image,
    imagePullPolicy: 'Never',
    args: ['netexec', `--http-port=${PROBE_PORT}`, '--udp-port=-1'],
    ports: [{ name: 'http', containerPort: PROBE_PORT, protocol: 'TCP' }],
    readinessProbe: { httpGet: { path: '/hostname', port: PROBE_PORT }, periodSeconds: 1 },
    resources: { requests: { cpu: '10m', memory: '32Mi' } },
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      runAsUser: 65534,
      runAsGroup: 65534,
      seccompProfile: { type: 'RuntimeDefault' },
    },
  };
}

/** What every probe pod runs. */
export function probePodSpec(settings: ProbeSettings): PodSpec {
  return {
    serviceAccountName: SERVICE_ACCOUNT,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: 1,
    // A name that is not answered is given up in seconds; trying again is up to the check.
    dnsConfig: {
      options: [
        { name: 'timeout', value: '2' },
        { name: 'attempts', value: '1' },
      ],
    },
    containers: [container(settings)],
  };
}

/** What has to be there before a probe pod is made: the namespace first, the rest in any order. */
export function probeSurroundings(settings: ProbeSettings) {
  return {
    namespace: namespaceObject(settings),
    rest: [
      probeAccount(settings),
      service(settings, PROBE_SERVICE, { type: 'NodePort' }),
      service(settings, PROBE_HEADLESS, { clusterIP: 'None' }),
    ],
  };
}

/** A probe pod on every node, whatever its taints. */
export function probeDaemonSet(settings: ProbeSettings): Typed<DaemonSet> {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: PROBE_APP, namespace: settings.namespace },
    spec: {
      selector: { matchLabels: { app: PROBE_APP } },
      template: {
        metadata: { labels: { app: PROBE_APP, [PROBE_LABEL]: settings.namespace } },
        spec: { ...probePodSpec(settings), tolerations: [{ operator: 'Exists' }] },
      },
    },
  };
}

/**
 * One pod on one of the given nodes that leaves it as soon as the node is marked not ready or unreachable, where
 * others stay for another five minutes.
 * @param nodes values of the label kubernetes.io/hostname
 */
export function wanderer(settings: ProbeSettings, nodes: readonly string[]): Typed<Deployment> {
  const leaves = (key: string) => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 0 });
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: WANDERER_APP, namespace: settings.namespace },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: WANDERER_APP } },
      template: {
        metadata: { labels: { app: WANDERER_APP, [PROBE_LABEL]: settings.namespace } },
        spec: {
          ...probePodSpec(settings),
          tolerations: [leaves('node.kubernetes.io/not-ready'), leaves('node.kubernetes.io/unreachable')],
          affinity: {
            nodeAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: {
                nodeSelectorTerms: [
                  {
                    matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [...nodes] }],
                  },
                ],
              },
            },
          },
        },
      },
    },
  };
}
