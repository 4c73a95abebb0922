import pLimit from 'p-limit';
import type { ClusterClient } from '../../cluster/client.js';
import type { Host } from '../../host/types.js';
import { PROBE_PORT } from '../../manifests/probe.js';
import { type Patience, settle } from './ask.js';
import type { CheckRow } from './checks.js';
import { judgeReached, type Verdict } from './judge.js';
import type { ProbePod } from './pods.js';
import type { Probe } from './probe.js';

const ADMIN_CONF = '/etc/kubernetes/admin.conf';
const COMMAND_TIMEOUT_MS = 20_000;
/** kubectl runs on the control plane at a time: each takes a good part of a core for its start. */
const KUBECTLS = 3;

/**
 * Arguments: kubeconfig, namespace, pod, port. Forwards a free local port, asks through it, prints the answer.
 * kubectl says its port on stdout once it listens; bash makes the connection, so that no other client is needed.
 */
const PORT_FORWARD = `dir=$(mktemp -d)
pid=
trap 'kill $pid 2>/dev/null; rm -rf "$dir"' EXIT
mkfifo "$dir/out"
timeout 15 kubectl --kubeconfig "$1" -n "$2" port-forward --address 127.0.0.1 "pod/$3" ":$4" \\
  >"$dir/out" 2>"$dir/err" </dev/null &
pid=$!
exec 3<"$dir/out"
if ! read -r line <&3; then
  cat "$dir/err" >&2
  exit 1
fi
port=\${line#*127.0.0.1:}
port=\${port%% *}
timeout 10 bash -c 'exec 4<>"/dev/tcp/127.0.0.1/$0" && printf "GET /hostname HTTP/1.0\\r\\n\\r\\n" >&4 && cat <&4' "$port" ||
  { cat "$dir/err" >&2; exit 1; }
`;

export interface KubeletChecks {
  probe: Probe;
  patience: Patience;
  /** The first control plane, which has kubectl and an admin kubeconfig. */
  controlPlane: Host;
  client: ClusterClient;
}

const perPod = (
  checks: KubeletChecks,
  check: CheckRow['check'],
  attempt: (pod: ProbePod) => Promise<Verdict>,
) =>
  Promise.all(
    [...checks.probe.pods.values()].map((pod) =>
      settle({ check, from: checks.controlPlane.name, to: pod.host }, checks.patience, () => attempt(pod)),
    ),
  );

/** A limit that exec and port-forward share. */
export function kubectlLimit(): ReturnType<typeof pLimit> {
  return pLimit(KUBECTLS);
}

export function execInto(checks: KubeletChecks, limit: ReturnType<typeof pLimit>): Promise<CheckRow[]> {
  const { namespace } = checks.probe.settings;
  return perPod(checks, 'exec', (pod) =>
    limit(async () => {
      const kubectl = ['kubectl', '--kubeconfig', ADMIN_CONF, '-n', namespace, 'exec', `pod/${pod.name}`];
      const { stdout } = await checks.controlPlane.exec([...kubectl, '--', 'hostname'], {
        timeoutMs: COMMAND_TIMEOUT_MS,
        signal: checks.patience.signal,
      });
      return judgeReached(
        { responses: [stdout.toString('utf8').trim()], errors: [], lookup: null },
        pod.name,
      );
    }),
  );
}

export function readLogs(checks: KubeletChecks): Promise<CheckRow[]> {
  const { namespace } = checks.probe.settings;
  return perPod(checks, 'logs', async (pod) => {
    const { body } = await checks.client.request(
      'GET',
      `/api/v1/namespaces/${namespace}/pods/${pod.name}/log?tailLines=20`,
      { timeoutMs: COMMAND_TIMEOUT_MS },
    );
    return String(body).trim() === ''
      ? { passed: false, detail: 'the log is empty' }
      : { passed: true, detail: '' };
  });
}

export function portForward(checks: KubeletChecks, limit: ReturnType<typeof pLimit>): Promise<CheckRow[]> {
  const { namespace } = checks.probe.settings;
  return perPod(checks, 'port-forward', (pod) =>
    limit(async () => {
      const { stdout } = await checks.controlPlane.script(
        {
          name: 'verify/port-forward',
          text: PORT_FORWARD,
          args: [ADMIN_CONF, namespace, pod.name, String(PROBE_PORT)],
        },
        { timeoutMs: COMMAND_TIMEOUT_MS, signal: checks.patience.signal },
      );
      const [, body = ''] = stdout.toString('utf8').split('\r\n\r\n');
      return judgeReached({ responses: [body.trim()], errors: [], lookup: null }, pod.name);
    }),
  );
}
