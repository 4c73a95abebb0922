import { dirname, resolve } from 'node:path';
import { parseSource, problemAt, type Source, type SourceDocument } from './documents.js';
import { expandHosts } from './host-patterns.js';
import { migrateDocuments } from './migrate.js';
import { configError } from './problems.js';
import { readText } from './read-text.js';
import { resolveConfig } from './resolve.js';
import { addons } from './rules/addons.js';
import { endpointFields, oneEndpoint, virtualAddress } from './rules/endpoint.js';
import { controlPlanes, etcdMembers, joinIdentity, nodeAddresses, uniqueHosts } from './rules/hosts.js';
import {
  bootstrapTokens,
  cgroupDriver,
  etcd,
  featureGates,
  ignoredFields,
  knownVersion,
  kubeProxyMode,
  validity,
} from './rules/kubeadm.js';
import { calico, flannel, networkFields, networkManifests } from './rules/network.js';
import {
  advertisedFamily,
  hostsOutsideOfRanges,
  nodeFamilies,
  nodeRanges,
  ranges,
} from './rules/networking.js';
import type { Rule } from './rules/rule.js';
import { check } from './schema/issues.js';
import {
  apiVersionOf,
  type Documents,
  IGNORED_KINDS,
  isKind,
  KINDS,
  type Kind,
  SCHEMAS,
} from './schema/kinds.js';
import { didYouMean, nearest } from './suggest.js';
import type { ClusterConfig } from './types.js';

export interface ParseOptions {
  /** Name of the file, as errors show it; default `<config>`, and then the configuration has no file. */
  file?: string;
  /** Folder where relative paths start; default the file's, or the current one. */
  baseDir?: string;
  /** What `~` stands for. */
  homeDir: string;
  /** The operator's environment; only SSH_AUTH_SOCK is read. */
  env?: Readonly<Record<string, string | undefined>>;
}

const RULES: readonly Rule[] = [
  knownVersion,
  uniqueHosts,
  nodeAddresses,
  controlPlanes,
  etcdMembers,
  joinIdentity,
  ranges,
  nodeRanges,
  hostsOutsideOfRanges,
  nodeFamilies,
  advertisedFamily,
  networkFields,
  addons,
  flannel,
  calico,
  networkManifests,
  kubeProxyMode,
  endpointFields,
  virtualAddress,
  oneEndpoint,
  featureGates,
  etcd,
  bootstrapTokens,
  cgroupDriver,
  validity,
  ignoredFields,
];

/**
 * A configuration from its text: parsed, migrated, checked, with defaults, and frozen.
 * @throws KeelsonError CONFIG with everything that is wrong; `details` is a `Problem[]`, and the message has
 * one line a problem: `file:line:column path: cause`
 */
export function parseClusterConfig(text: string, options: ParseOptions): ClusterConfig {
  const source = parseSource(text, options.file ?? '<config>');
  const notes = migrateDocuments(source.documents);
  expandHosts(source);
  const note = (message: string): void => void notes.push(message);
  const places = sortByKind(source, note);
  const documents = readDocuments(source, places);
  applyRules(source, places, documents, note);
  const { Cluster, ClusterConfiguration } = documents;
  if (source.problems.length > 0 || Cluster === undefined || ClusterConfiguration === undefined) {
    throw configError(source.problems);
  }
  const file = options.file === undefined ? null : resolve(options.file);
  return freeze(
    resolveConfig(
      { ...documents, Cluster, ClusterConfiguration },
      {
        file,
        baseDir: options.baseDir ?? (file === null ? resolve() : dirname(file)),
        homeDir: options.homeDir,
        env: options.env ?? {},
      },
      notes,
    ),
  );
}

/**
 * The configuration of a file; see `parseClusterConfig`.
 * @throws KeelsonError CONFIG also where the file cannot be read
 */
export async function loadClusterConfig(
  path: string,
  options: Omit<ParseOptions, 'file' | 'baseDir'>,
): Promise<ClusterConfig> {
  return parseClusterConfig(await readClusterFile(path), { ...options, file: path });
}

/** Thousands of hosts one by one take a tenth of it. */
const MOST_BYTES = 4 * 1024 * 1024;

/** Text of a cluster file. @throws KeelsonError CONFIG for what is none */
export async function readClusterFile(path: string): Promise<string> {
  return readText(path, MOST_BYTES, {
    code: 'CONFIG',
    hint: 'name the configuration file with -c; docs/configuration.md shows how to write one',
  });
}

/** The documents by kind; what is unknown, too old, or there twice is reported. */
function sortByKind(source: Source, note: (message: string) => void): Map<Kind, SourceDocument> {
  const places = new Map<Kind, SourceDocument>();
  for (const item of source.documents) {
    const { kind, apiVersion, document } = item;
    const report = (path: string[], message: string, suggestion?: string) =>
      source.problems.push(
        problemAt(source, document, path, message + didYouMean(suggestion), { suggestion }),
      );
    if (IGNORED_KINDS.includes(kind) && apiVersion.startsWith('kubeadm.k8s.io/')) {
      note(`${kind} is ignored`);
    } else if (!isKind(kind)) {
      report(['kind'], `unknown kind ${kind}`, nearest(kind, KINDS));
    } else if (apiVersion !== apiVersionOf(kind)) {
      report(['apiVersion'], wrongVersion(kind, apiVersion));
    } else if (places.has(kind)) {
      report(['kind'], `a second ${kind}: each kind stands once in a file`);
    } else {
      places.set(kind, item);
    }
  }
  return places;
}

function wrongVersion(kind: Kind, apiVersion: string): string {
  const known = apiVersionOf(kind);
  if (!/^kubeadm\.k8s\.io\/v1(alpha|beta)[12]?\d*$/.test(apiVersion))
    return `${kind} is read in ${known} only`;
  return (
    `${apiVersion} is too old; migrate it with \`kubeadm config migrate\` of a kubeadm that knows it ` +
    '(v1.22 reads v1beta2), then give the result to keelson'
  );
}

function readDocuments(source: Source, places: ReadonlyMap<Kind, SourceDocument>): Documents {
  const documents: Record<string, unknown> = {};
  const broken = source.problems.some((problem) => problem.path === '');
  for (const kind of ['Cluster', 'ClusterConfiguration'] as const) {
    // After a syntax error nobody knows what else the file holds.
    if (places.has(kind) || broken) continue;
    const message = `there is no ${kind} document (${apiVersionOf(kind)})`;
    source.problems.push({ file: source.file, line: 1, column: 1, path: '', message });
  }
  for (const [kind, { document }] of places) {
    const deep = !kind.startsWith('Kube');
    const result = check(SCHEMAS[kind], withoutNulls(document.toJS(), deep));
    if ('data' in result) documents[kind] = result.data;
    else {
      for (const { path, message, at, suggestion } of result.findings) {
        source.problems.push(problemAt(source, document, path, message, { at, suggestion }));
      }
    }
  }
  return documents as Documents;
}

/** Fields that are null are missing, as in kubeadm. ComponentConfigs keep those inside of their fields. */
function withoutNulls(value: unknown, deep: boolean): unknown {
  if (Array.isArray(value)) return value.map((item) => withoutNulls(item, deep));
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).filter(([, field]) => field !== null);
  return Object.fromEntries(entries.map(([key, field]) => [key, deep ? withoutNulls(field, deep) : field]));
}

function applyRules(
  source: Source,
  places: ReadonlyMap<Kind, SourceDocument>,
  documents: Documents,
  note: (message: string) => void,
): void {
  for (const rule of RULES) {
    rule(
      documents,
      (kind, path, message, options) => {
        const place = places.get(kind);
        if (place !== undefined)
          source.problems.push(problemAt(source, place.document, path, message, options));
      },
      note,
    );
  }
}

function freeze<T>(value: T): T {
  if (value !== null && typeof value === 'object' && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const field of Object.values(value)) freeze(field);
  }
  return value;
}
