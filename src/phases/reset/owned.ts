import { filesForRole } from '../../bundle/bundle.js';
import type { BundleFile } from '../../bundle/lock.js';
import { digestScript } from '../../engine/digests.js';
import { JOURNAL_PATH } from '../../engine/journal.js';
import type { FileState, ReadRequest, ReadResult } from '../../host/types.js';
import {
  CONTAINERD_CONFIG,
  CONTAINERD_UNIT_FILE,
  CONTAINERD_UNIT_PATH,
  CRICTL_CONFIG,
  containerdConfig,
  crictlConfig,
} from '../../manifests/containerd.js';
import { HAPROXY_FILES, KEEPALIVED_FILES } from '../../manifests/endpoint/files.js';
import { MODULES_FILE, modulesLoadFile, SYSCTL_FILE, sysctlFile } from '../../manifests/host-files.js';
import {
  KUBELET_DROP_IN_FILE,
  KUBELET_DROP_IN_PATH,
  KUBELET_UNIT_FILE,
  KUBELET_UNIT_PATH,
} from '../../manifests/kubelet.js';
import { ETCD_KUBELET_DROP_IN_FILE, ETCD_KUBELET_DROP_IN_PATH } from '../../manifests/kubelet-standalone.js';
import type { PhaseContext } from '../context.js';
import { nearestBundle } from '../host-bundle.js';

/** `reset/endpoint` removes them, with their units. */
const OF_ENDPOINT = [...HAPROXY_FILES, ...KEEPALIVED_FILES];

/** Which files on a host are keelson's, as its journal and their content tell. */
export interface OwnedFiles {
  /** Files to remove, with their modes. */
  files: FileState[];
  /** Those of them that were there before keelson wrote them; what they were is not known any more. */
  overwritten: string[];
  /** See `ownsContainerd`. */
  containerd: boolean;
}

/** `"file":"PATH","op":"OP"[,"sha256":"…"]` of every file that the journal names, oldest first. */
const JOURNAL_PROBE = `grep -oh '"file":"[^"]*","op":"[a-z]*"\\(,"sha256":"[0-9a-f]*"\\)\\{0,1\\}' ${JOURNAL_PATH} 2>/dev/null; true`;

/** sha256sum's lines of the files that the journal names and that are still there, but for `known` ones. */
const digestsProbe = (known: readonly string[]) => `for path in ${known.join(' ')}; do echo "$path"; done | {
  known=$(cat)
  grep -oh '"file":"[^"]*"' ${JOURNAL_PATH} 2>/dev/null | cut -d'"' -f4 | sort -u | grep -vxF "$known" | while read -r path; do
    [ -f "$path" ] && sha256sum "$path"
  done
}; true`;

const textsOf = ({ config, first }: PhaseContext): ReadonlyMap<string, string> =>
  new Map([
    [MODULES_FILE, modulesLoadFile()],
    [SYSCTL_FILE, sysctlFile(config)],
    [CONTAINERD_CONFIG, containerdConfig(config)],
    [CONTAINERD_UNIT_PATH, CONTAINERD_UNIT_FILE],
    [CRICTL_CONFIG, crictlConfig(first.nodeRegistration.criSocket)],
    [KUBELET_UNIT_PATH, KUBELET_UNIT_FILE],
    [KUBELET_DROP_IN_PATH, KUBELET_DROP_IN_FILE],
    [ETCD_KUBELET_DROP_IN_PATH, ETCD_KUBELET_DROP_IN_FILE],
  ]);

function binariesOf(context: PhaseContext, host: string): BundleFile[] {
  return filesForRole(nearestBundle(context, host), context.hostNamed(host).role);
}

/** What `ownedFiles` has to see. */
export function ownedRequest(context: PhaseContext, host: string): ReadRequest {
  const binaries = binariesOf(context, host).map((file) => file.path);
  return {
    files: [...textsOf(context).keys()],
    stats: binaries,
    probes: {
      journal: JOURNAL_PROBE,
      'journal-digests': digestsProbe(binaries),
      digests: binaries.length === 0 ? 'true' : digestScript(binaries),
    },
  };
}

/**
 * A file is keelson's where the journal says that keelson made it, or where it is byte for byte what keelson
 * writes. Others' files stay; so does one that was there before and that keelson, interrupted, never got to.
 */
export function ownedFiles(context: PhaseContext, host: string, seen: ReadResult): OwnedFiles {
  const journal = journalOf(seen);
  const digests = new Map([
    ...digestsOf(seen.probes.get('journal-digests')?.stdout),
    ...digestsOf(seen.probes.get('digests')?.stdout),
  ]);
  const files = new Map<string, FileState>();
  const take = (path: string) => {
    const unseen: FileState = { path, type: 'file', mode: 0, owner: '', size: 0, mtime: '' };
    files.set(path, seen.files.get(path) ?? unseen);
  };
  for (const [path, text] of textsOf(context)) {
    const state = seen.files.get(path);
    if (state === undefined || state.type === 'missing') continue;
    if (journal.get(path)?.first === 'create' || state.content?.toString('utf8') === text) take(path);
  }
  for (const file of binariesOf(context, host)) {
    const digest = digests.get(file.path);
    if (digest === undefined) continue;
    if (digest === file.sha256 || journal.get(file.path)?.digests.has(digest) === true) take(file.path);
  }
  // What another version of keelson wrote elsewhere.
  for (const [path, entry] of journal) {
    const digest = digests.get(path);
    if (digest === undefined || files.has(path) || OF_ENDPOINT.includes(path)) continue;
    if (entry.digests.size === 0 ? entry.first === 'create' : entry.digests.has(digest)) take(path);
  }
  const found = [...files.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  return {
    files: found,
    overwritten: found.map((file) => file.path).filter((path) => journal.get(path)?.first === 'update'),
    containerd: ownsContainerd(seen),
  };
}

/** What `ownsContainerd` has to see. */
export const CONTAINERD_REQUEST: ReadRequest = {
  files: [CONTAINERD_UNIT_PATH],
  probes: { journal: JOURNAL_PROBE },
};

/** True where containerd's unit was installed by keelson, and is not, say, Docker's. */
export function ownsContainerd(seen: ReadResult): boolean {
  const unit = seen.files.get(CONTAINERD_UNIT_PATH);
  if (unit === undefined || unit.type === 'missing') return false;
  const made = journalOf(seen).get(CONTAINERD_UNIT_PATH)?.first === 'create';
  return made || unit.content?.toString('utf8') === CONTAINERD_UNIT_FILE;
}

interface JournalEntry {
  /** What was done to the file first: `update` tells that it was there before keelson. */
  first: string;
  digests: Set<string>;
}

function journalOf(seen: ReadResult): Map<string, JournalEntry> {
  const result = new Map<string, JournalEntry>();
  for (const line of (seen.probes.get('journal')?.stdout ?? '').split('\n')) {
    const match = /^"file":"([^"]*)","op":"([a-z]*)"(?:,"sha256":"([0-9a-f]*)")?$/.exec(line);
    if (match?.[1] === undefined || match[2] === undefined) continue;
    const entry = result.get(match[1]) ?? { first: match[2], digests: new Set<string>() };
    if (match[3] !== undefined) entry.digests.add(match[3]);
    result.set(match[1], entry);
  }
  return result;
}

function digestsOf(stdout: string | undefined): Map<string, string> {
  const result = new Map<string, string>();
  for (const line of (stdout ?? '').split('\n')) {
    const match = /^\\?([0-9a-f]{64}) [ *](.+)$/.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined) result.set(match[2], match[1]);
  }
  return result;
}
