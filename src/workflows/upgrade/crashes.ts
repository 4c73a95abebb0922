import { KeelsonError } from '../../errors/keelson-error.js';
import type { Host } from '../../host/types.js';
import { KUBELET_UNIT } from '../../manifests/kubelet.js';
import type { StaticPod } from './keep.js';

/** A container that was started again so often will not come up by itself. */
const CRASHES = 2;

/** A pod's restarts, by its directories of logs, and what the kubelet has said since of containers it can't start. */
interface Look {
  /** Seconds since the epoch, by the host's clock. */
  at: number;
  /** By directory, the number of its newest container; the first is 0. */
  containers: ReadonlyMap<string, number>;
  /** The last line of the container before the newest that tells of an error. */
  error: string;
  refused: readonly string[];
}

/**
 * A static pod's directory is named after its manifest's digest, and is there again with all its numbers when a
 * manifest comes back: only what is more than at the first look is told of this start.
 * @param since seconds since the epoch
 */
const probeOf = (pod: StaticPod, since: number | undefined) => `echo "at $(date +%s)"
newest=
for d in $(ls -td /var/log/pods/kube-system_${pod}-*/${pod} 2>/dev/null); do
  n=$(ls "$d" | grep -x '[0-9]*.log' | sort -n | tail -n 1)
  [ -n "$n" ] || continue
  echo "container \${n%.log} $d"
  newest=\${newest:-$d/$((\${n%.log} - 1)).log}
done
echo "error $(cut -d' ' -f4- "$newest" 2>/dev/null | grep -iE 'err|fatal|panic' | tail -n 1 | cut -c1-300)"
${
  since === undefined
    ? ''
    : `journalctl -u kubelet --since "@${since}" --no-pager -o cat 2>/dev/null |
  grep -F 'pod="kube-system/${pod}-' | grep -oE '(RunContainer|CreateContainer|StartContainer|CreateContainerConfig|InvalidImageName|ErrImageNeverPull|ErrImagePull)[A-Za-z]*: .*' |
  sed 's/ pod="kube-system.*//' | cut -c1-400 | sed 's/^/refused /'`
}
true`;

/** What the probe said. Pure. */
export function lookOf(said: string): Look {
  const lines = said.split('\n');
  const after = (word: string) =>
    lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));
  const containers = after('container').map((line): [string, number] => {
    const [count = '', ...directory] = line.split(' ');
    return [directory.join(' '), Number(count)];
  });
  return {
    at: Number(after('at')[0] ?? 0),
    containers: new Map(containers),
    error: (after('error')[0] ?? '').trim(),
    refused: after('refused'),
  };
}

/** What happened to a pod since the first look, as a sentence; null while it may still come up. Pure. */
export function crashOf(pod: StaticPod, first: Look, now: Look): string | null {
  const last = now.refused.at(-1);
  if (now.refused.length >= CRASHES && last !== undefined) return `${pod} can't be started: ${plain(last)}`;
  const starts = [...now.containers].map(
    ([directory, count]) => count - (first.containers.get(directory) ?? -1),
  );
  if (Math.max(0, ...starts) <= CRASHES) return null;
  return `${pod} keeps ending${now.error === '' ? '' : `: ${now.error}`}`;
}

/** Without the quotes that the kubelet puts around a message in a message. */
const plain = (text: string): string =>
  text.replaceAll(/\\+"/g, '"').replaceAll(/"+$/g, '').replace(/: "+/, ': ');

/** What the kubelet said so many seconds before the first look is about this start too. */
const BEFORE_S = 5;

/**
 * Looks, time after time, whether containers of a host's static pods come up.
 * @returns what throws DEADLINE, before any deadline, for a pod whose container will not come up by itself
 */
export function crashWatch(host: Host): (pod: StaticPod) => Promise<void> {
  const firsts = new Map<StaticPod, Look>();
  return async (pod) => {
    const first = firsts.get(pod);
    const since = first === undefined ? undefined : first.at - BEFORE_S;
    const seen = await host.read({ probes: { crashes: probeOf(pod, since) } });
    const now = lookOf(seen.probes.get('crashes')?.stdout ?? '');
    if (first === undefined) firsts.set(pod, now);
    const crash = crashOf(pod, first ?? now, now);
    if (crash === null) return;
    throw new KeelsonError('DEADLINE', crash, {
      host: host.name,
      hint: `on ${host.name}: the newest log of ${pod} in /var/log/containers, and journalctl -u kubelet`,
    });
  };
}

const KUBELET_PROBE = `systemctl show --property NRestarts --value ${KUBELET_UNIT}
journalctl -u ${KUBELET_UNIT} -n 100 --no-pager -o cat 2>/dev/null | grep -E '^[EF][0-9]|rror:' | tail -n 1 | cut -c1-300`;

/** What the probe said, as a sentence about the kubelet; null while it may still come up. Pure. */
export function kubeletCrash(said: string): string | null {
  const [restarts = '', ...lines] = said.trim().split('\n');
  if (Number(restarts) < CRASHES) return null;
  const last = lines.at(-1)?.trim() ?? '';
  return `the kubelet keeps ending${last === '' ? '' : `: ${last}`}`;
}

/** @throws DEADLINE, before any deadline, for a kubelet that will not come up by itself */
export async function refuseCrashingKubelet(host: Host): Promise<void> {
  const seen = await host.read({ probes: { kubelet: KUBELET_PROBE } });
  const crash = kubeletCrash(seen.probes.get('kubelet')?.stdout ?? '');
  if (crash === null) return;
  throw new KeelsonError('DEADLINE', crash, {
    host: host.name,
    hint: `on ${host.name}: journalctl -u kubelet`,
  });
}
