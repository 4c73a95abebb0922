import type { ActionChange } from '../../engine/types.js';
import { defineHostPhase } from '../context.js';
import { KUBELET_STOPPED, PODS_GONE } from './artefacts.js';
import { leftover } from './leftover.js';

/**
 * What pods leave on a host, found without a runtime that answers: processes by their control groups, shims by
 * their namespace, mounts by their place. Containers of others (Docker's `moby` namespace) are none of these.
 */
const FINDERS = `LC_ALL=C; export LC_ALL
pods() { find /sys/fs/cgroup -path '*/kubepods*' -name cgroup.procs -exec cat {} + 2>/dev/null | sort -un | awk '$1 > 1'; }
shims() {
  for process in /proc/[0-9]*; do
    tr '\\0' ' ' < "$process/cmdline" 2>/dev/null | grep -q 'containerd-shim.* -namespace k8s\\.io ' && echo "\${process#/proc/}"
  done
}
mounts() {
  awk '{print $5}' /proc/self/mountinfo | while read -r at; do printf '%b\\n' "$(echo "$at" | sed 's/\\\\\\([0-7]\\)/\\\\0\\1/g')"; done |
    grep -E '^(/var/lib/kubelet/.|/run/containerd/io\\.containerd\\.(runtime\\.v2\\.task/k8s\\.io|grpc\\.v1\\.cri)/|/var/lib/containerd/.|(/var)?/run/netns/cni-)' | sort -ru
}
networks() { find /run/netns -maxdepth 1 -name 'cni-*' 2>/dev/null; }
groups() { find /sys/fs/cgroup -depth -type d -path '*/kubepods*' 2>/dev/null; }
`;

/** One line: numbers of processes, shims, mounts, network namespaces and control groups. */
const PODS_PROBE = `${FINDERS}
echo "$(pods | wc -l) $(shims | wc -l) $(mounts | wc -l) $(networks | wc -l) $(groups | wc -l)"`;

/**
 * Kills rather than asks: a process that traps SIGTERM would hold the reset up, and its data is going anyway.
 * A mount that is busy is detached, so that nothing is ever removed through it.
 */
export const REMOVE_PODS = `${FINDERS}
i=0
while [ -n "$(pods)" ] && [ $i -lt 100 ]; do
  pods | xargs -r kill -9 2>/dev/null
  i=$((i+1)); sleep 0.05
done
if command -v ctr >/dev/null && [ -S /run/containerd/containerd.sock ]; then
  timeout 10 ctr -n k8s.io tasks ls -q 2>/dev/null | xargs -r timeout 20 ctr -n k8s.io tasks rm -f >/dev/null 2>&1
  timeout 10 ctr -n k8s.io containers ls -q 2>/dev/null | xargs -r timeout 20 ctr -n k8s.io containers rm >/dev/null 2>&1
fi
shims | xargs -r kill -9 2>/dev/null
i=0
while [ -n "$(shims)" ] && [ $i -lt 100 ]; do i=$((i+1)); sleep 0.05; done
mounts | while read -r at; do umount "$at" 2>/dev/null || umount -l "$at"; done
networks | while read -r at; do umount "$at" 2>/dev/null; rm -f "$at"; done
systemctl stop kubepods.slice 2>/dev/null
groups | while read -r at; do rmdir "$at" 2>/dev/null; done
exit 0
`;

const WHAT = [
  ['process', 'processes'],
  ['shim', 'shims'],
  ['mount', 'mounts'],
  ['network namespace', 'network namespaces'],
  ['control group', 'control groups'],
] as const;

export const removePods = defineHostPhase({
  name: 'reset/pods',
  summary: 'containers killed, their mounts, network namespaces and control groups removed',
  target: 'all',
  needs: [KUBELET_STOPPED],
  provides: [PODS_GONE],
  observe: () => ({ probes: { pods: PODS_PROBE } }),
  plan: (_context, _host, seen) => {
    const counts = (seen.probes.get('pods')?.stdout ?? '').trim().split(/\s+/).map(Number);
    const found = WHAT.flatMap(([one, many], index) => {
      const count = counts[index] ?? 0;
      return count > 0 ? [`${count} ${count === 1 ? one : many}`] : [];
    });
    if (found.length === 0) return leftover([]);
    const change: ActionChange = {
      kind: 'action',
      name: 'remove',
      summary: `remove all pods: ${found.join(', ')}`,
      disrupts: true,
      destroys: true,
    };
    return leftover([change]);
  },
  actions: {
    remove: async (_context, host) => {
      await host.script({ name: 'reset/pods', text: REMOVE_PODS }, { timeoutMs: 180_000 });
    },
  },
});
