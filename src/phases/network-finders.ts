/** Names that Kubernetes and network plugins give to what they make on a host. */
export interface NetworkNames {
  /** Patterns of the shell's `case` for interfaces. */
  interfaces: string;
  /** Interfaces of pods too: whatever is attached to the bridge cni0. */
  bridged: boolean;
  /** Regular expression of awk for iptables chains; jumps to them go along. */
  chains: string;
  /** Regular expression of awk for single rules in chains of others, as iptables-save prints them. */
  rules: string;
  /** Alternatives of an extended regular expression for names of nft tables. */
  tables: string;
  /** Extended regular expression for ipsets. */
  sets: string;
}

/**
 * Shell functions that find what kube-proxy, the kubelet and CNI plugins made: interfaces, routes into the pod
 * networks ($subnets, comma separated), chains and the jumps to them in either kind of iptables, nft tables,
 * ipsets. Rules of anybody else are not touched.
 */
export const networkFinders = (
  names: NetworkNames,
): string => `LC_ALL=C; export LC_ALL; PATH=$PATH:/usr/sbin:/sbin
interfaces() {
  { ip -o link show master cni0; ip -o link show; } 2>/dev/null | sed 's/^[0-9]*: *//; s/[@:].*//' | sort -u | while read -r name; do
    case $name in
      ${names.interfaces}) echo "$name" ;;
      *) ${names.bridged ? 'ip -o link show master cni0 2>/dev/null | grep -q "^[0-9]*: *$name[@:]" && echo "$name"' : ':'} ;;
    esac
  done
}
routes() {
  echo "$subnets" | tr , '\\n' | while read -r subnet; do
    case $subnet in
      '') ;;
      *:*) ip -6 -o route show root "$subnet" 2>/dev/null | sed 's/^/-6 /' ;;
      *) ip -4 -o route show root "$subnet" 2>/dev/null | sed 's/^/-4 /' ;;
    esac
  done | grep -Ev ' proto (kernel|dhcp|ra|static)( |$)'
}
filters() {
  found=
  for tool in iptables-legacy ip6tables-legacy iptables-nft ip6tables-nft; do
    command -v "$tool-save" >/dev/null && found=yes && echo "$tool"
  done
  [ -n "$found" ] && return
  for tool in iptables ip6tables; do command -v "$tool-save" >/dev/null && echo "$tool"; done
}
removals() {
  "$1-save" 2>/dev/null | awk '
    function ours(name) { return name ~ /${names.chains}/ }
    /^\\*/ { table = $0; flush = ""; jumps = ""; drop = ""; next }
    /^:/ { name = substr($1, 2); if (ours(name)) { flush = flush ":" name " - [0:0]\\n"; drop = drop "-X " name "\\n" }; next }
    /^-A / {
      if (ours($2)) next
      target = ""
      for (i = 3; i < NF; i++) if ($i == "-j" || $i == "-g") target = $(i + 1)
      if (ours(target) || $0 ~ /${names.rules}/) { sub(/^-A/, "-D"); jumps = jumps $0 "\\n" }
      next
    }
    /^COMMIT/ { if (flush jumps != "") printf "%s\\n%s%s%sCOMMIT\\n", table, flush, jumps, drop }'
}
tables() { nft list tables 2>/dev/null | sed -n 's/^table //p' | grep -E '^(ip|ip6|inet) (${names.tables})$'; }
sets() { ipset list -n 2>/dev/null | grep -E '${names.sets}'; }
`;

/** Each table of iptables changes as a whole. */
export const REMOVE_CHAINS = `filters | while read -r tool; do
  removals "$tool" > /run/keelson-reset.$$
  if [ -s /run/keelson-reset.$$ ]; then "$tool-restore" --noflush < /run/keelson-reset.$$; fi
  rm -f /run/keelson-reset.$$
done
`;

/** Prints a line `chains TOOL N` for each kind of iptables that has any. */
export const COUNT_CHAINS = `filters | while read -r tool; do n=$(removals "$tool" | grep -c '^-'); [ "$n" -gt 0 ] && echo "chains $tool $n"; done
`;
