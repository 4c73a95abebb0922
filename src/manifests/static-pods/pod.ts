import type {
  Container,
  Pod,
  EnvVar as PodEnv,
  Probe,
  Volume,
  VolumeMount,
} from 'kubernetes-types/core/v1.js';
import { durationMs } from '../../config/go-duration.js';
import type { EnvVar } from '../../config/types.js';

/** What a host has that its static pods depend on, beside the configuration. */
export interface HostSurroundings {
  /** Directories of CA certificates that exist on the host; only those of `CA_DIRECTORIES` are mounted. */
  caDirectories: readonly string[];
  /** The cluster CA's key is not on the host: the controller manager gets no signing certificate. */
  externalCA?: boolean;
  /** `*_proxy` variables that the control plane (but not etcd) is given, below the user's extraEnvs. */
  proxyEnvironment?: readonly EnvVar[];
}

/** Name of the port that every probe refers to. */
export const PROBE_PORT = 'probe-port';

export interface ProbeEndpoint {
  /** '' lets the kubelet use the pod's address. */
  host: string;
  scheme: 'HTTP' | 'HTTPS';
}

interface ProbeTimes {
  initialDelaySeconds?: number;
  failureThreshold: number;
  periodSeconds: number;
}

function probe(endpoint: ProbeEndpoint, path: string, times: ProbeTimes): Probe {
  return {
    ...times,
    timeoutSeconds: 15,
    httpGet: {
      ...(endpoint.host === '' ? {} : { host: endpoint.host }),
      path,
      port: PROBE_PORT,
      scheme: endpoint.scheme,
    },
  };
}

/** Eight failures, ten seconds apart: kubeadm's numbers. */
export function livenessProbe(endpoint: ProbeEndpoint, path: string): Probe {
  return probe(endpoint, path, { initialDelaySeconds: 10, failureThreshold: 8, periodSeconds: 10 });
}

export function readinessProbe(endpoint: ProbeEndpoint, path: string): Probe {
  return probe(endpoint, path, { failureThreshold: 3, periodSeconds: 1 });
}

/** @param timeout Go duration that the component may take to come up; tried every ten seconds until then */
export function startupProbe(endpoint: ProbeEndpoint, path: string, timeout: string): Probe {
  const failureThreshold = Math.ceil(durationMs(timeout) / 10_000);
  return probe(endpoint, path, { initialDelaySeconds: 10, failureThreshold, periodSeconds: 10 });
}

/** Address for probes of a component bound to `address`: none where it binds to all. */
export function probeAddress(address: string): string {
  return address === '0.0.0.0' || address === '::' ? '' : address;
}

/** Environment by name, the later list winning; undefined where there is none. */
export function environment(...lists: readonly (readonly EnvVar[] | undefined)[]): PodEnv[] | undefined {
  const byName = new Map(
    lists.flatMap((list) => list ?? []).map((variable) => [variable.name, variable.value]),
  );
  if (byName.size === 0) return undefined;
  return [...byName]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => (value === '' ? { name } : { name, value }));
}

export interface ComponentPod {
  name: string;
  image: string;
  command: string[];
  env: PodEnv[] | undefined;
  ports: Container['ports'];
  probes: { liveness: Probe; readiness?: Probe; startup: Probe };
  requests: Record<string, string>;
  volumes: Volume[];
  volumeMounts: VolumeMount[];
  annotations?: Record<string, string>;
}

/** A static pod of the control plane with kubeadm's labels, priority and seccomp profile. */
export function componentPod(component: ComponentPod): Pod {
  const { name, probes } = component;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'kube-system',
      labels: { component: name, tier: 'control-plane' },
      ...(component.annotations === undefined ? {} : { annotations: component.annotations }),
    },
    spec: {
      containers: [
        {
          name,
          image: component.image,
          imagePullPolicy: 'IfNotPresent',
          command: component.command,
          ...(component.env === undefined ? {} : { env: component.env }),
          ...(component.ports === undefined ? {} : { ports: component.ports }),
          livenessProbe: probes.liveness,
          ...(probes.readiness === undefined ? {} : { readinessProbe: probes.readiness }),
          startupProbe: probes.startup,
          resources: { requests: component.requests },
          volumeMounts: component.volumeMounts,
        },
      ],
      hostNetwork: true,
      priority: 2_000_001_000,
      priorityClassName: 'system-node-critical',
      securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
      volumes: component.volumes,
    },
    status: {},
  };
}
