import type { ImageChange } from '../../engine/types.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import type { ExecResult, Host } from '../../host/types.js';
import { hostBundle } from '../../phases/host-bundle.js';
import type { Session } from '../session.js';

/**
 * Runs etcdutl out of the image that etcd itself runs from, which every host with a member has, so that both are of
 * one version; else the host's own. Arguments: image, data directory, deadline in seconds, etcdutl's arguments.
 * Exit code 3: there is neither.
 */
const ETCDUTL = `PATH=$PATH:/usr/local/bin:/usr/local/sbin
image=$1 data=$2 seconds=$3
shift 3
name=keelson-etcdutl
if command -v ctr >/dev/null && ctr -n k8s.io images list -q 2>/dev/null | grep -qxF "$image"; then
  { ctr -n k8s.io tasks rm -f $name; ctr -n k8s.io containers rm $name; } >/dev/null 2>&1
  exec timeout -k 5 "$seconds" ctr -n k8s.io run --rm \\
    --mount "type=bind,src=$data,dst=$data,options=rbind:rw" "$image" $name etcdutl "$@"
fi
command -v etcdutl >/dev/null || exit 3
exec timeout -k 5 "$seconds" etcdutl "$@"
`;

export interface ToolPlace {
  /** Image of etcd, as its manifest names it. */
  image: string;
  dataDir: string;
}

/**
 * Runs etcdutl on a host. It sees nothing but the data directory.
 * @throws REMOTE_COMMAND with what it said; CONFLICT where the host has neither etcd's image nor etcdutl
 */
export async function etcdutl(
  session: Session,
  host: Host,
  { image, dataDir }: ToolPlace,
  args: readonly string[],
  seconds = 600,
): Promise<ExecResult> {
  const run = () =>
    host.script(
      { name: 'etcd/etcdutl', text: ETCDUTL, args: [image, dataDir, String(seconds), ...args] },
      { timeoutMs: (seconds + 30) * 1000, acceptCodes: [0, 3], signal: session.context.signal },
    );
  const first = await run();
  if (first.code === 0) return first;
  await importEtcd(session, host, image);
  const second = await run();
  if (second.code === 0) return second;
  throw noTool(host.name, image);
}

async function importEtcd(session: Session, host: Host, image: string): Promise<void> {
  let found: { reference: string; digest: string; blobs: readonly { size: number }[] } | undefined;
  try {
    found = hostBundle(session.context, host.name).lock.images.find(({ reference }) => reference === image);
  } catch (error) {
    if (!(error instanceof KeelsonError) || error.code !== 'BUNDLE') throw error;
  }
  if (found === undefined) throw noTool(host.name, image);
  const size = found.blobs.reduce((sum, blob) => sum + blob.size, 0);
  const change: ImageChange = {
    kind: 'image',
    reference: image,
    digest: found.digest,
    size,
    reason: 'it is missing',
  };
  await session.effects.importImages(host, [change]);
}

function noTool(host: string, image: string): KeelsonError {
  return new KeelsonError('CONFLICT', `the host has neither the image ${image} nor etcdutl`, {
    host,
    hint: 'see that containerd runs there; the bundle that spec.bundle names brings the image',
  });
}
