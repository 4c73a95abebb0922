import { KeelsonError } from '../../errors/keelson-error.js';

/** Every check, in the order of the report: what it proves, and what to do where it fails. */
export const CHECKS = {
  api: {
    summary: 'the API server of every control plane is ready; without the first one nothing else is tried',
    hint: 'on the host: journalctl -u kubelet -u containerd, and the logs under /var/log/pods; keelson apply puts back what is missing',
  },
  nodes: {
    summary: 'every host of the file is a node, and Ready',
    hint: 'kubectl describe node shows why it is not Ready; on the host: systemctl status kubelet, journalctl -u kubelet',
  },
  pods: {
    summary: 'a probe pod starts on every node, whatever its taints',
    hint: 'the evidence above says what the pod waits for; on the host: journalctl -u kubelet -u containerd',
  },
  'pod-to-pod': {
    summary: 'every probe pod reaches every probe pod, also of its own node',
    hint: 'look at the pods of the network plugin on both nodes, its interface (ip -d link show flannel.1), and that its port (UDP 8472 for VXLAN) is open between hosts',
  },
  'api-to-pod': {
    summary: 'every control plane’s API server reaches every probe pod (webhooks and kubectl proxy need it)',
    hint: 'look at the network plugin on that control plane and on the pod’s node',
  },
  'cluster-ip': {
    summary: 'every node reaches a service by its cluster IP, and through it pods on other nodes',
    hint: 'look at kube-proxy on that node: kubectl -n kube-system get pods -l k8s-app=kube-proxy -o wide, and its log; then at pod-to-pod',
  },
  'node-port': {
    summary: 'every host, outside of any pod, reaches the node port of every node',
    hint: 'look at kube-proxy on the node that was asked, and for a firewall on ports 30000-32767',
  },
  dns: {
    summary: 'names of services and pods resolve on every node, full and short',
    hint: 'look at CoreDNS: kubectl -n kube-system get pods,endpointslices -l k8s-app=kube-dns -o wide, and its log; then at cluster-ip',
  },
  exec: {
    summary: 'kubectl exec into the probe pod of every node',
    hint: 'check that the API server reaches port 10250 of the node, and the kubelet’s serving certificate',
  },
  logs: {
    summary: 'logs of the probe pod of every node',
    hint: 'check that the API server reaches port 10250 of the node, and the kubelet’s serving certificate',
  },
  'port-forward': {
    summary: 'kubectl port-forward to the probe pod of every node',
    hint: 'check that the API server reaches port 10250 of the node, and containerd’s log there',
  },
  'network-policy': {
    summary: 'the network plugin enforces policies: deny, allow by label and namespace, egress, near and far',
    hint: 'look at the pods of the network plugin on both nodes; a plugin without policies leaves every pod open to all others',
  },
  reschedule: {
    summary: 'a pod comes up on another worker after its node’s kubelet has stopped (stops a kubelet)',
    hint: 'look at the controller manager’s and the scheduler’s logs, and at the room left on the other workers',
  },
  cleanup: {
    summary: 'the probe pods and their namespace go away again',
    hint: 'kubectl get namespace -o yaml shows what holds it; the next keelson verify tries again',
  },
} as const satisfies Record<string, { summary: string; hint: string }>;

export type CheckName = keyof typeof CHECKS;

export const CHECK_NAMES = Object.keys(CHECKS) as CheckName[];

/** Checks that an operator has to ask for: one disturbs what runs, the other asks what not every plugin has. */
const ON_REQUEST: readonly CheckName[] = ['network-policy', 'reschedule'];

/** What one check says of one pair, for example of the way from one node to another. */
export interface CheckRow {
  check: CheckName;
  /** Host in the inventory; '' where the check has no such side. */
  from: string;
  /** Host in the inventory, or the name that was looked up. */
  to: string;
  result: 'passed' | 'failed' | 'skipped';
  durationMs: number;
  /** What was seen, in one line. */
  detail: string;
  /** Status and events that tell more about a failure. */
  evidence?: readonly string[];
  /** Of failed rows: what to do. */
  hint?: string;
}

export interface VerifyReport {
  cluster: string;
  ok: boolean;
  passed: number;
  failed: number;
  skipped: number;
  durationMs: number;
  rows: CheckRow[];
}

export interface CheckSelection {
  /** Only these; [] for all that need not be asked for. */
  only: readonly string[];
  skip: readonly string[];
  /** Adds the check that stops a kubelet. */
  reschedule: boolean;
  /** Adds the check of network policies. */
  networkPolicy: boolean;
}

/**
 * The checks that are to run.
 * @throws USAGE for a name that is no check, or when nothing is left
 */
export function selectChecks(selection: CheckSelection): Set<CheckName> {
  for (const name of [...selection.only, ...selection.skip]) {
    if (!Object.hasOwn(CHECKS, name)) {
      throw new KeelsonError('USAGE', `there is no check ${name}`, {
        hint: `the checks are ${CHECK_NAMES.join(', ')}`,
      });
    }
  }
  const asked =
    selection.only.length > 0
      ? CHECK_NAMES.filter((name) => selection.only.includes(name))
      : CHECK_NAMES.filter((name) => !ON_REQUEST.includes(name));
  const chosen = new Set<CheckName>(asked);
  if (selection.networkPolicy) chosen.add('network-policy');
  if (selection.reschedule) chosen.add('reschedule');
  for (const name of CHECK_NAMES) if (selection.skip.includes(name)) chosen.delete(name);
  if (chosen.size === 0) throw new KeelsonError('USAGE', '--skip leaves no check to run');
  return chosen;
}

/** Rows as a report: in the order of the checks, with hints at failures. */
export function reportOf(cluster: string, rows: readonly CheckRow[], durationMs: number): VerifyReport {
  const count = (result: CheckRow['result']) => rows.filter((row) => row.result === result).length;
  return {
    cluster,
    ok: count('failed') === 0,
    passed: count('passed'),
    failed: count('failed'),
    skipped: count('skipped'),
    durationMs,
    rows: CHECK_NAMES.flatMap((name) => rows.filter((row) => row.check === name)).map((row) =>
      row.result === 'failed' ? { ...row, hint: CHECKS[row.check].hint } : row,
    ),
  };
}

/** Checks of one way between two hosts; all others may fail because of a third. */
const WAYS: readonly CheckName[] = ['pod-to-pod', 'api-to-pod'];

/**
 * The one host at which every failed way between two hosts begins or ends, or null: the place to look first.
 * One failure alone has no such host, since either side may be the cause.
 */
export function suspect(rows: readonly CheckRow[]): string | null {
  const failed = rows.filter(
    (row) => row.result === 'failed' && WAYS.includes(row.check) && row.from !== row.to,
  );
  if (failed.length < 2) return null;
  const hosts = new Set(failed.flatMap((row) => [row.from, row.to]));
  const common = [...hosts].filter((host) => failed.every((row) => row.from === host || row.to === host));
  return common.length === 1 ? (common[0] ?? null) : null;
}
