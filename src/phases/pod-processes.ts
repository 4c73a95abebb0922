/**
 * `runs NAME`: whether a pod of the kubelet's has a process of that name, and which (`$pid`). /proc has the first 15
 * characters of a name. What others run on the host under the same name is none of keelson's.
 */
export const RUNS = `runs() {
  for comm in /proc/[0-9]*/comm; do
    read -r name 2>/dev/null < "$comm" && [ "$name" = "$1" ] || continue
    pid=\${comm#/proc/} && pid=\${pid%/comm}
    grep -q kubepods "/proc/$pid/cgroup" 2>/dev/null && return 0
  done
  return 1
}
`;
