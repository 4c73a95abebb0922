#!/bin/sh
# Names of all machines of the lab in /etc/hosts (or $HOSTS_FILE). Arguments: ADDRESS=NAME … Safe to repeat.
set -eu

hosts=${HOSTS_FILE:-/etc/hosts}
begin='# keelson lab: begin'
end='# keelson lab: end'

for entry in "$@"; do
  case $entry in
    *=*) ;;
    *)
      echo "not of the form ADDRESS=NAME: $entry" >&2
      exit 2
      ;;
  esac
done

new=$(mktemp)
trap 'rm -f "$new"' EXIT
{
  # Vagrant binds the machine's own name to a loopback address, which no other machine can use.
  sed -e "/^$begin\$/,/^$end\$/d" -e "/^127\.0\.[12]\.1[[:space:]]/d" "$hosts"
  echo "$begin"
  for entry in "$@"; do
    printf '%s %s\n' "${entry%%=*}" "${entry#*=}"
  done
  echo "$end"
} > "$new"
# Written into, not renamed over: it keeps its SELinux label.
cat "$new" > "$hosts"
