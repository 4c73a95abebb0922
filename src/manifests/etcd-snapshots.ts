import { memberAddress, memberSettings } from '../config/inventory.js';
import type { ClusterConfig, EtcdSnapshots, ResolvedHost } from '../config/types.js';
import { joinHostPort, loopbackFor } from './addresses.js';
import type { RenderedFile } from './rendered-file.js';
import { CLIENT_PORT } from './static-pods/etcd.js';
import { STATIC_POD_DIRECTORY } from './static-pods/static-pods.js';

export const SNAPSHOT_SCRIPT = '/usr/libexec/keelson/etcd-snapshot';
const SNAPSHOT_SERVICE = 'keelson-etcd-snapshot.service';
export const SNAPSHOT_TIMER = 'keelson-etcd-snapshot.timer';
export const SNAPSHOT_TIMER_PATH = `/usr/lib/systemd/system/${SNAPSHOT_TIMER}`;
const SNAPSHOT_SERVICE_PATH = `/usr/lib/systemd/system/${SNAPSHOT_SERVICE}`;

/** Every file that snapshots by a timer put on a host. */
export const SNAPSHOT_FILES = [SNAPSHOT_SCRIPT, SNAPSHOT_SERVICE_PATH, SNAPSHOT_TIMER_PATH];

/** Snapshots that the host takes of its own member; null where it takes none. */
export function snapshotsOn(config: ClusterConfig, host: ResolvedHost): EtcdSnapshots | null {
  const { etcdSnapshots } = config.spec;
  return etcdSnapshots === undefined || memberSettings(config.cluster, host) === undefined
    ? null
    : etcdSnapshots;
}

/** Script, service and timer of the host's snapshots; none where it takes none. */
export function snapshotFiles(config: ClusterConfig, host: ResolvedHost): Map<string, RenderedFile> {
  const own = snapshotsOn(config, host);
  if (own === null) return new Map();
  return new Map([
    [SNAPSHOT_SCRIPT, { content: snapshotScript(config, host, own), mode: 0o755 }],
    [SNAPSHOT_SERVICE_PATH, { content: SERVICE_FILE, mode: 0o644 }],
    [SNAPSHOT_TIMER_PATH, { content: timerFile(own), mode: 0o644 }],
  ]);
}

/**
 * etcd's own programs run out of the image that etcd runs from, as its manifest names it. A member without quorum
 * takes none, or what it knows would by and by replace what the cluster knew. The digest that etcd sends along is
 * compared and the database is walked before the file gets its name. Only files of such names are ever removed.
 */
function snapshotScript(
  config: ClusterConfig,
  host: ResolvedHost,
  { directory, keep }: EtcdSnapshots,
): string {
  const endpoint = `https://${joinHostPort(loopbackFor(memberAddress(host)), CLIENT_PORT)}`;
  return `#!/bin/sh
# Written by keelson: a verified snapshot of this host's etcd member.
set -eu
umask 077
PATH=$PATH:/usr/local/bin:/usr/local/sbin
cluster=${config.name}
directory=${directory}
pki=${config.cluster.certificatesDir}/etcd
image=$(sed -n 's/^ *image: *//p' ${STATIC_POD_DIRECTORY}/etcd.yaml | head -n 1)
name=keelson-etcd-snapshot
work=$directory/.unfinished

mkdir -p "$directory"
rm -rf "$work"
mkdir "$work"
trap 'rm -rf "$work"' EXIT

run() {
  { ctr -n k8s.io tasks rm -f $name; ctr -n k8s.io containers rm $name; } >/dev/null 2>&1 || true
  timeout -k 5 600 ctr -n k8s.io run --rm --net-host \\
    --mount "type=bind,src=$pki,dst=/pki,options=rbind:ro" \\
    --mount "type=bind,src=$work,dst=/snapshot,options=rbind:rw" "$image" $name "$@"
}
client() {
  run etcdctl --endpoints ${endpoint} --cacert /pki/ca.crt \\
    --cert /pki/healthcheck-client.crt --key /pki/healthcheck-client.key "$@"
}

client endpoint health
client snapshot save /snapshot/db
sent=$(tail -c 32 "$work/db" | od -An -v -tx1 | tr -d ' \\n')
came=$(head -c -32 "$work/db" | sha256sum | cut -d' ' -f1)
[ "$sent" = "$came" ] || { echo "the digest of the snapshot does not fit: nothing was kept" >&2; exit 1; }
revision=$(run etcdutl snapshot status /snapshot/db --write-out json | sed -n 's/.*"revision":\\([0-9]*\\).*/\\1/p')
[ -n "$revision" ] || { echo "the snapshot can't be read: nothing was kept" >&2; exit 1; }
file=$directory/$cluster-$(date -u +%Y%m%dT%H%M%SZ)-r$revision.db
sync "$work/db"
mv "$work/db" "$file"
echo "$file"

ls -1 "$directory" | grep -xE "$cluster-[0-9]{8}T[0-9]{6}Z-r[0-9]+\\.db" | sort -r | tail -n +${keep + 1} |
  while read -r old; do rm -f "$directory/$old"; echo "removed $old"; done
`;
}

const SERVICE_FILE = `[Unit]
Description=Snapshot of this host's etcd member
Documentation=file:${SNAPSHOT_SCRIPT}
After=containerd.service

[Service]
Type=oneshot
ExecStart=${SNAPSHOT_SCRIPT}
Nice=10
IOSchedulingClass=idle
`;

/** Members begin within a minute of each other, not at once. */
const timerFile = ({ schedule }: EtcdSnapshots): string => `[Unit]
Description=Snapshots of this host's etcd member

[Timer]
OnCalendar=${schedule}
RandomizedDelaySec=60
AccuracySec=1s
Persistent=true

[Install]
WantedBy=timers.target
`;
