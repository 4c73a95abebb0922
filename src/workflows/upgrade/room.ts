import { memberSettings } from '../../config/inventory.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { quote } from '../../host/quote.js';
import type { Host } from '../../host/types.js';
import type { PhaseContext } from '../../phases/context.js';

/** What a host writes while it changes, and goes back: manifests, configuration, logs of pods that start, etcd's log. */
const ROOM_MIB = 64;

const DIRECTORIES = [
  '/etc/kubernetes',
  '/var/lib/keelson',
  '/var/lib/kubelet',
  '/var/lib/containerd',
  '/var/log',
];

/**
 * A host whose disk is full could neither take the step nor go back.
 * @throws PREFLIGHT, with nothing changed
 */
export async function refuseFullDisk(context: PhaseContext, host: Host): Promise<void> {
  const settings = memberSettings(context.config.cluster, context.hostNamed(host.name));
  const directories = [...DIRECTORIES, ...(settings === undefined ? [] : [settings.dataDir])];
  const room = `for dir in ${quote(directories)}; do
  at=$dir; while ! [ -d "$at" ]; do at=\${at%/*}; at=\${at:-/}; done
  echo "$(($(stat -f -c '%a * %S' "$at") / 1048576)) $dir"
done`;
  const seen = await host.read({ probes: { room } }, { signal: context.signal });
  const full = fullDirectories(seen.probes.get('room')?.stdout ?? '');
  if (full.length === 0) return;
  const list = full.map(({ directory, mebibytes }) => `${directory} has ${mebibytes} MiB`).join(', ');
  throw new KeelsonError(
    'PREFLIGHT',
    `too little room on ${host.name}: ${list} of the ${ROOM_MIB} MiB needed`,
    {
      host: host.name,
      hint: `nothing was changed on ${host.name}: free space there, then run the same command again`,
      details: { back: true },
    },
  );
}

/** Of lines `MiB directory`, those with too little. Pure. */
export function fullDirectories(text: string): { directory: string; mebibytes: number }[] {
  return text.split('\n').flatMap((line) => {
    const [, mebibytes, directory] = /^(\d+) (\/.*)$/.exec(line) ?? [];
    return directory === undefined || Number(mebibytes) >= ROOM_MIB
      ? []
      : [{ directory, mebibytes: Number(mebibytes) }];
  });
}
