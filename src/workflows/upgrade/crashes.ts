import { KeelsonError } from '../../errors/keelson-error.js';
import type { Host } from '../../host/types.js';
import { KUBELET_UNIT } from '../../manifests/kubelet.js';
import { manifestPath, type StaticPod } from './keep.js';

/** A container that ended, or could not be started, so often will not come up by itself. */
const CRASHES = 2;

/**
 * How often a container of the manifest as it is now was started again, and the last line of the start before; then
 * what the kubelet has said of containers that it could not start, since the manifest was written.
 */
const probeOf = (pod: StaticPod) => `m=${manifestPath(pod)}
[ -f "$m" ] || exit 0
d=$(ls -td /var/log/pods/kube-system_${pod}-*/${pod} 2>/dev/null | head -n 1)
if [ -n "$d" ] && [ "$d" -nt "$m" ]; then
  newest=$(ls "$d" | grep -x '[0-9]*.log' | sort -n | tail -n 1)
  echo "started \${newest%.log}"
  cut -d' ' -f4- "$d/$((\${newest%.log} - 1)).log" 2>/dev/null | grep -iE 'err|fatal|panic' | tail -n 1 | cut -c1-300
fi
journalctl -u kubelet --since "@$(stat -c %Y "$m")" --no-pager -o cat 2>/dev/null |
  grep -F 'pod="kube-system/${pod}-' | grep -oE '(RunContainer|CreateContainer|StartContainer|CreateContainerConfig|InvalidImageName|ErrImageNeverPull|ErrImagePull)[A-Za-z]*: .*' |
  sed 's/ pod="kube-system.*//' | cut -c1-400 | sed 's/^/refused /'`;

/** What the probe said, as a sentence about the pod; null while it may still come up. Pure. */
export function crashOf(pod: StaticPod, said: string): string | null {
  const lines = said.split('\n').filter((line) => line !== '');
  const refused = lines.filter((line) => line.startsWith('refused '));
  const last = refused.at(-1);
  if (refused.length >= CRASHES && last !== undefined)
    return `${pod} can't be started: ${plain(last.slice('refused '.length))}`;
  const [, count] = /^started (\d+)$/.exec(lines[0] ?? '') ?? [];
  if (count === undefined || Number(count) < CRASHES) return null;
  const line = lines[1]?.startsWith('refused ') === false ? lines[1].trim() : '';
  return `${pod} keeps ending${line === '' ? '' : `: ${line}`}`;
}

/** Without the quotes that the kubelet puts around a message in a message. */
const plain = (text: string): string =>
  text.replaceAll(/\\+"/g, '"').replaceAll(/"+$/g, '').replace(/: "+/, ': ');

/** @throws DEADLINE, before any deadline, for a pod whose container will not come up by itself */
export async function refuseCrashing(host: Host, pod: StaticPod): Promise<void> {
  const seen = await host.read({ probes: { crashes: probeOf(pod) } });
  const crash = crashOf(pod, seen.probes.get('crashes')?.stdout ?? '');
  if (crash === null) return;
  throw new KeelsonError('DEADLINE', crash, {
    host: host.name,
    hint: `on ${host.name}: the newest log of ${pod} in /var/log/containers, and journalctl -u kubelet`,
  });
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
