LC_ALL=C; export LC_ALL; PATH=$PATH:/usr/sbin:/sbin
interfaces() {
  { ip -o link show master cni0; ip -o link show; } 2>/dev/null | sed 's/^[0-9]*: *//; s/[@:].*//' | sort -u | while read -r name; do
    case $name in
      cni0|flannel.*|flannel-v6.*|flannel-wg|flannel-wg-v6|kube-ipvs0|nodelocaldns|cali*|vxlan.calico|vxlan-v6.calico|wireguard.cali|wg-v6.cali) echo "$name" ;;
      *) ip -o link show master cni0 2>/dev/null | grep -q "^[0-9]*: *$name[@:]" && echo "$name" ;;
    esac
  done
}
routes() {
  echo "$subnets" | tr , '\n' | while read -r subnet; do
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
    function ours(name) { return name ~ /^(KUBE-|CNI-|FLANNEL-|cali-)/ }
    /^\*/ { table = $0; flush = ""; jumps = ""; drop = ""; next }
    /^:/ { name = substr($1, 2); if (ours(name)) { flush = flush ":" name " - [0:0]\n"; drop = drop "-X " name "\n" }; next }
    /^-A / {
      if (ours($2)) next
      target = ""
      for (i = 3; i < NF; i++) if ($i == "-j" || $i == "-g") target = $(i + 1)
      if (ours(target) || $0 ~ /--comment "cali:/) { sub(/^-A/, "-D"); jumps = jumps $0 "\n" }
      next
    }
    /^COMMIT/ { if (flush jumps != "") printf "%s\n%s%s%sCOMMIT\n", table, flush, jumps, drop }'
}
tables() { nft list tables 2>/dev/null | sed -n 's/^table //p' | grep -E '^(ip|ip6|inet) (kube-proxy|flannel-ipv4|flannel-ipv6|calico|cni_hostport|cni_plugins_masquerade)$'; }
sets() { ipset list -n 2>/dev/null | grep -E '^(KUBE-|cali[46]0)'; }

subnets=$1
filters | while read -r tool; do
  removals "$tool" > /run/keelson-reset.$$
  if [ -s /run/keelson-reset.$$ ]; then "$tool-restore" --noflush < /run/keelson-reset.$$; fi
  rm -f /run/keelson-reset.$$
done
tables | while read -r family name; do nft delete table "$family" "$name"; done
for family in ip ip6; do
  for name in raw mangle nat filter; do
    nft list table "$family" "$name" 2>/dev/null | awk '
      { seen = 1 }
      !/^(#.*|table .*|[ \t]*chain .*|[ \t]*type .* policy accept;|[ \t]*}|[ \t]*)$/ { full = 1 }
      END { exit !(seen && !full) }' && nft delete table "$family" "$name"
  done
done
sets | while read -r name; do ipset destroy "$name"; done
interfaces | while read -r name; do ip link delete "$name" 2>/dev/null; done
routes | while read -r family destination rest; do
  case $destination in
    blackhole|unreachable|prohibit) ip "$family" route delete "$destination" "${rest%% *}" ;;
    *) ip "$family" route delete "$destination" ;;
  esac
done
exit 0
