import { fileChange } from '../engine/files.js';
import type { Verdict } from '../engine/phase.js';
import { SATISFIED } from '../engine/phase.js';
import type { Change } from '../engine/types.js';
import type { ReadRequest, ReadResult } from '../host/types.js';
import { CA_DIRECTORIES } from '../manifests/host-ca-directories.js';
import { type RenderedFile, renderHost } from '../manifests/render.js';
import type { EtcdMembership } from '../manifests/static-pods/etcd.js';
import type { PhaseContext } from './context.js';

const RESOLVED_UNIT = 'systemd-resolved.service';

/** What rendered files depend on beside the configuration; every phase that renders asks for it. */
export const SURROUNDINGS: ReadRequest & { stats: readonly string[]; units: readonly string[] } = {
  stats: CA_DIRECTORIES,
  units: [RESOLVED_UNIT],
};

/** The host's files without secrets, given what was seen of its surroundings. */
export function renderedFor(
  context: PhaseContext,
  host: string,
  seen: ReadResult,
  membership: EtcdMembership = {},
): ReadonlyMap<string, RenderedFile> {
  const facts = context.facts.get(host);
  const external = context.trust
    .entries(context.first.name)
    .some((entry) => entry.name === 'ca' && entry.external);
  return renderHost(context.config, context.hostNamed(host), {
    caDirectories: CA_DIRECTORIES.filter((path) => seen.files.get(path)?.type === 'directory'),
    systemdResolved: seen.units.get(RESOLVED_UNIT)?.active === 'active',
    externalCA: external,
    patches: context.patches.get(host) ?? [],
    ...membership,
    ...(facts === undefined
      ? {}
      : { hostname: facts.hostname, defaultAddress: facts.defaultRoute?.address ?? null }),
  });
}

/** Changes that bring the rendered files at `paths` onto the host; paths that are not rendered are left out. */
export function renderedChanges(
  context: PhaseContext,
  host: string,
  seen: ReadResult,
  paths: readonly string[],
  membership: EtcdMembership = {},
): Change[] {
  const rendered = renderedFor(context, host, seen, membership);
  return paths.flatMap((path) => {
    const file = rendered.get(path);
    if (file === undefined) return [];
    const change = fileChange(
      { path, text: file.content, mode: file.mode, dirMode: file.dirMode ?? 0o755 },
      seen,
    );
    return change === null ? [] : [change];
  });
}

/** A verdict from changes: missing where something is created and nothing altered, drifted otherwise. */
export function verdictOf(changes: readonly Change[]): Verdict {
  if (changes.length === 0) return SATISFIED;
  const reasons = changes.map((change) => ('reason' in change ? change.reason : change.summary));
  const altered = changes.some(
    (change) =>
      'op' in change && (change.op === 'update' || change.op === 'remove' || change.op === 'restart'),
  );
  return { standing: altered ? 'drifted' : 'missing', reasons, changes: [...changes] };
}
