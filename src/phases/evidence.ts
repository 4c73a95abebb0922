import type { ClusterClient, KubeObject } from '../cluster/client.js';
import { KeelsonError, toKeelsonError } from '../errors/keelson-error.js';
import type { HostReader } from '../host/types.js';
import { diagnose } from './diagnosis.js';

/** What a person would look at on a host whose control plane does not come up. Reads only. */
const HOST_EVIDENCE = `for unit in kubelet containerd; do echo "$unit: $(systemctl is-active $unit)"; done
echo "disks:"; df -h /var/lib/etcd /var/lib/containerd / 2>/dev/null | awk '{print $5, $6}' | sort -u
echo "kubelet:"; journalctl -u kubelet -n 400 --no-pager -o cat 2>/dev/null | grep -E '^[EF][0-9]|rror:' | tail -n 6 | cut -c1-400
for name in etcd kube-apiserver kube-controller-manager; do
  log=$(ls -t /var/log/containers/$name-*.log 2>/dev/null | head -n 1)
  [ -n "$log" ] && { echo "$name:"; tail -n 5 "$log" | cut -c1-400; }
done
true`;

/** The same error with the host's evidence, and with the first cause and its remedy in place of the symptom. */
export async function withHostEvidence(thrown: unknown, host: HostReader): Promise<KeelsonError> {
  const error = toKeelsonError(thrown);
  if (error.code !== 'DEADLINE') return error;
  const text = await host.query(['sh', '-c', HOST_EVIDENCE], { acceptCodes: 'any', timeoutMs: 15_000 }).then(
    (result) => result.stdout.toString('utf8'),
    (failure) => `no evidence from ${host.name}: ${toKeelsonError(failure).message}`,
  );
  return explained(error, text, host.name);
}

/** The same error with what pods of the system wait for. */
export async function withPodEvidence(thrown: unknown, client: ClusterClient | null): Promise<KeelsonError> {
  const error = toKeelsonError(thrown);
  if (error.code !== 'DEADLINE' || client === null) return error;
  const text = await Promise.all([client.list('/api/v1/pods'), client.list('/api/v1/events')]).then(
    ([pods, events]) => [...pods.flatMap(waitingOf), ...warningsOf(events)].join('\n'),
    (failure) => `no evidence from the API: ${toKeelsonError(failure).message}`,
  );
  return explained(error, text, undefined);
}

function explained(error: KeelsonError, evidence: string, host: string | undefined): KeelsonError {
  const diagnosis = diagnose(evidence);
  return new KeelsonError(
    'DEADLINE',
    diagnosis === null ? error.message : `${diagnosis.cause} (${error.message})`,
    {
      hint: diagnosis?.remedy ?? error.hint,
      host,
      cause: error,
      details: { stdout: evidence },
    },
  );
}

interface ContainerStatus {
  name: string;
  state?: { waiting?: { reason?: string; message?: string } };
}

function waitingOf(pod: KubeObject): string[] {
  const status = pod.status as
    | { containerStatuses?: ContainerStatus[]; initContainerStatuses?: ContainerStatus[] }
    | undefined;
  const containers = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  return containers.flatMap(({ name, state }) => {
    const waiting = state?.waiting;
    if (waiting === undefined || waiting.reason === 'PodInitializing') return [];
    return [
      `pod ${pod.metadata.namespace}/${pod.metadata.name}, ${name}: ${waiting.reason ?? 'waiting'} ${waiting.message ?? ''}`.trim(),
    ];
  });
}

/** The last distinct warnings, oldest first. */
function warningsOf(events: readonly KubeObject[]): string[] {
  const texts = events
    .filter((event) => event.type === 'Warning')
    .sort((a, b) => String(a.lastTimestamp).localeCompare(String(b.lastTimestamp)))
    .map((event) => `${String(event.reason)}: ${String(event.message).slice(0, 300)}`);
  return [...new Set(texts)].slice(-8);
}
