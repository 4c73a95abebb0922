import type { ReadRequest, ReadResult } from '../host/types.js';

const SEPARATOR = '\u0001';

/**
 * Merges the wishes of many askers (phases) into one request, so that a host is read in one round trip.
 * Probes keep their asker's name as a prefix; files, stats and units are shared.
 */
export function mergeRequests(requests: ReadonlyMap<string, ReadRequest>): ReadRequest {
  const files = new Set<string>();
  const stats = new Set<string>();
  const units = new Set<string>();
  const probes: Record<string, string> = {};
  for (const [asker, request] of requests) {
    for (const path of request.files ?? []) files.add(path);
    for (const path of request.stats ?? []) stats.add(path);
    for (const unit of request.units ?? []) units.add(unit);
    for (const [name, script] of Object.entries(request.probes ?? {})) {
      probes[`${asker}${SEPARATOR}${name}`] = script;
    }
  }
  for (const path of files) stats.delete(path);
  return { files: [...files], stats: [...stats], units: [...units], probes };
}

/** What `asker` sees of a merged result: all files and units, and its own probes under their own names. */
export function viewFor(asker: string, merged: ReadResult): ReadResult {
  const prefix = `${asker}${SEPARATOR}`;
  const probes = new Map<string, { code: number; stdout: string }>();
  for (const [name, result] of merged.probes) {
    if (name.startsWith(prefix)) probes.set(name.slice(prefix.length), result);
  }
  return { files: merged.files, units: merged.units, probes };
}
