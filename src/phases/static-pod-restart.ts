import { isDeepStrictEqual } from 'node:util';
import { parse } from 'yaml';
import { asControlPlane } from '../config/inventory.js';
import type { Change } from '../engine/types.js';
import { KeelsonError } from '../errors/keelson-error.js';
import type { Host, ReadResult } from '../host/types.js';
import type { PhaseContext } from './context.js';
import { withHostEvidence } from './evidence.js';
import { MANIFESTS_DIR } from './paths.js';
import { RUNS } from './pod-processes.js';

const API_SERVER = 'kube-apiserver';

/** The kubelet ends a static pod within its grace period (30 s), and may look for changed manifests every 20 s only. */
const RESTART_SECONDS = 90;

/**
 * Arguments: manifest, program, seconds, the port that it listens on or 0, a program to end with it or ''. Waits until
 * a process of that program runs that is no older than the manifest (to two seconds: the kernel's boot time is in whole
 * ones). Exit code 4: none came.
 *
 * Two waits that serve nobody are cut short. An API server that was told to end stops listening at once, and then uses
 * up all of the kubelet's grace period, since watches never end: five seconds are left for requests under way, then a
 * second SIGTERM ends it. And where etcd has ended, the API server beside it answers nothing, but keeps the kubelet
 * waiting a minute for every call, before it starts the new etcd: it is ended, and comes back with etcd.
 */
export const AWAIT_RESTART = `${RUNS}ticks=$(getconf CLK_TCK 2>/dev/null || echo 100)
boot=$(sed -n 's/^btime //p' /proc/stat)
written=$(stat -c %Y "$1")
port=$(printf '%04X' "$4")
listens() { grep -q ":$port 0*:0000 0A " /proc/net/tcp /proc/net/tcp6 2>/dev/null; }
# 0: the new one runs; 1: only an old one does, $pid; 2: none does
look() {
  found=2
  for comm in /proc/[0-9]*/comm; do
    read -r name 2>/dev/null < "$comm" && [ "$name" = "$1" ] || continue
    read -r line 2>/dev/null < "\${comm%comm}stat" || continue
    pid=\${line%% *}
    set -- "$1" \${line##*) }
    [ $((boot + \${21} / ticks)) -ge $((written - 2)) ] && return 0
    found=1
  done
  return $found
}
i=0 deaf=0 gone=0
while :; do
  look "$2"
  case $? in
    0) exit 0 ;;
    1) [ "$4" -gt 0 ] && ! listens && deaf=$((deaf+1)) ;;
    *) gone=$((gone+1)) ;;
  esac
  if [ $deaf -eq 50 ]; then
    deaf=51
    grep -q kubepods "/proc/$pid/cgroup" && kill -TERM $pid
  fi
  if [ $gone -eq 5 ] && [ -n "$5" ]; then
    gone=6
    runs "$5" && kill -KILL $pid
  fi
  i=$((i+1)); [ $i -gt $(($3 * 10)) ] && exit 4
  sleep 0.1
done
`;

/**
 * Waits until the kubelet has ended a static pod's program and started it anew, after its manifest was written.
 * @throws DEADLINE with the host's evidence
 */
async function awaitRestart(context: PhaseContext, host: Host, component: string): Promise<void> {
  const serves = component === API_SERVER;
  const args = [
    `${MANIFESTS_DIR}/${component}.yaml`,
    // The kernel keeps fifteen characters of a program’s name.
    component.slice(0, 15),
    String(RESTART_SECONDS),
    String(serves ? asControlPlane(context.hostNamed(host.name)).localAPIEndpoint.bindPort : 0),
    component === 'etcd' ? API_SERVER : '',
  ];
  const { code } = await host.script(
    { name: 'static-pod/await-restart', text: AWAIT_RESTART, args },
    { acceptCodes: [0, 4], timeoutMs: (RESTART_SECONDS + 30) * 1000, signal: context.signal },
  );
  if (code === 0) return;
  const error = new KeelsonError(
    'DEADLINE',
    `the kubelet has not started ${component} anew ${RESTART_SECONDS} s after its manifest changed`,
    { host: host.name, hint: `on ${host.name}: journalctl -u kubelet` },
  );
  throw await withHostEvidence(error, host);
}

type Serves = (context: PhaseContext, host: Host) => Promise<void>;

const awaiting = (component: string) => `await-${component}`;

/** Whether another pod stands in a manifest than before: for the kubelet neither mode nor layout makes one. */
function alters(change: Change, seen: ReadResult): boolean {
  if (change.kind !== 'file' || change.op !== 'update' || change.content?.kind !== 'text') return false;
  const before = seen.files.get(change.path)?.content?.toString();
  if (before === undefined) return true;
  try {
    return !isDeepStrictEqual(parse(before), parse(change.content.text));
  } catch {
    return true;
  }
}

/**
 * Changes of a manifest that stands already, as a rolling phase makes them: they disrupt, and end with waiting.
 * A new manifest disrupts nothing.
 */
export function rollingRestart(
  component: string,
  host: string,
  changes: readonly Change[],
  seen: ReadResult,
): Change[] {
  if (!changes.some((change) => alters(change, seen))) return [...changes];
  const summary = `wait until ${component} of ${host} serves again, before another host's stops`;
  return [
    ...changes.map((change) => (change.kind === 'file' ? { ...change, disrupts: true } : change)),
    { kind: 'action', name: awaiting(component), summary },
  ];
}

/** The action that such changes end with. */
export function rollingActions(component: string, serves: Serves): Record<string, Serves> {
  return {
    [awaiting(component)]: async (context, host) => {
      await awaitRestart(context, host, component);
      await serves(context, host);
    },
  };
}
