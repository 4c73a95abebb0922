import { KeelsonError } from '../../errors/keelson-error.js';
import type { Host } from '../../host/types.js';
import { ASIDE_DIR, MANIFESTS_DIR } from '../../phases/paths.js';
import { RUNS } from '../../phases/pod-processes.js';

/** What runs on etcd, and etcd, in the order in which they are stopped. */
const CONTROL_PLANE_PODS = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'etcd'] as const;
export type ControlPlanePod = (typeof CONTROL_PLANE_PODS)[number];

/** A kubelet ends a static pod in half a minute at most. */
const STOP_SECONDS = 60;

/**
 * Moves manifests aside and waits until nothing of theirs runs. What has no state of its own is killed once its
 * manifest is gone; etcd is left to write down what it has. It is told to end after five seconds, again and again: a
 * kubelet that was started while no API answers does not stop pods that it did not start.
 * Arguments: seconds until that is given up. Exit code 4: etcd still runs.
 */
const STOP = `${RUNS}umask 077
mkdir -p ${ASIDE_DIR}
for pod in ${CONTROL_PLANE_PODS.join(' ')}; do
  if [ -e ${MANIFESTS_DIR}/$pod.yaml ]; then mv -f ${MANIFESTS_DIR}/$pod.yaml ${ASIDE_DIR}/$pod.yaml; fi
done
i=0
while :; do
  left=
  for name in kube-apiserver kube-controller kube-scheduler; do
    if runs $name; then
      left=1
      if [ $i -ge 10 ] && [ $((i % 10)) = 0 ]; then kill -9 $pid 2>/dev/null; fi
    fi
  done
  if runs etcd; then
    left=1
    if [ $i -gt 0 ] && [ $((i % 50)) = 0 ]; then kill -15 $pid 2>/dev/null; fi
  fi
  [ -z "$left" ] && break
  i=$((i+1))
  [ $i -gt $(($1 * 10)) ] && exit 4
  sleep 0.1
done
exit 0
`;

/**
 * Moves manifests back where there are none by now, and has the kubelet start anew: it would otherwise go on with
 * its back-off of pods that failed. Arguments: names of pods.
 */
const START = `for pod in "$@"; do
  [ -e ${ASIDE_DIR}/$pod.yaml ] || continue
  if [ -e ${MANIFESTS_DIR}/$pod.yaml ]; then rm -f ${ASIDE_DIR}/$pod.yaml
  else mv ${ASIDE_DIR}/$pod.yaml ${MANIFESTS_DIR}/$pod.yaml || exit 1; fi
done
rmdir ${ASIDE_DIR} 2>/dev/null
systemctl restart kubelet
`;

/**
 * Stops etcd and all that runs on it on a host, so that it stays stopped.
 * @throws DEADLINE where etcd does not stop
 */
export async function stopControlPlane(host: Host, signal: AbortSignal): Promise<void> {
  const { code } = await host.script(
    { name: 'etcd/stop', text: STOP, args: [String(STOP_SECONDS)] },
    { timeoutMs: (STOP_SECONDS + 30) * 1000, acceptCodes: [0, 4], signal },
  );
  if (code === 0) return;
  throw new KeelsonError('DEADLINE', `etcd still runs ${STOP_SECONDS} s after its manifest was moved away`, {
    host: host.name,
    hint: `on ${host.name}: systemctl status kubelet, which stops pods whose manifest is gone; then run this again`,
  });
}

/** Lets a host's pods run again. */
export async function startPods(
  host: Host,
  pods: readonly ControlPlanePod[],
  signal: AbortSignal,
): Promise<void> {
  await host.script({ name: 'etcd/start', text: START, args: pods }, { timeoutMs: 120_000, signal });
}
