import { Document, isMap, isScalar, type Pair, type Scalar, YAMLMap, YAMLSeq } from 'yaml';
import { parseSource, type SourceDocument } from './documents.js';
import { configError } from './problems.js';

const OLD = 'kubeadm.k8s.io/v1beta3';
const NEW = 'kubeadm.k8s.io/v1beta4';

/** Where v1beta3 has maps of flags and v1beta4 has lists of name and value. */
const FLAG_MAPS: readonly (readonly string[])[] = [
  ['apiServer', 'extraArgs'],
  ['controllerManager', 'extraArgs'],
  ['scheduler', 'extraArgs'],
  ['etcd', 'local', 'extraArgs'],
  ['nodeRegistration', 'kubeletExtraArgs'],
];

const CONTROL_PLANE_TIMEOUT = ['timeouts', 'controlPlaneComponentHealthCheck'];

/**
 * Rewrites kubeadm v1beta3 documents as v1beta4 in place, as `kubeadm config migrate` does, but without
 * filling in defaults. Comments and places in the text stay with what they belong to. A document is added
 * where a field moves to a kind that was not there.
 * @returns notes on what was changed
 */
export function migrateDocuments(documents: SourceDocument[]): string[] {
  const notes: string[] = [];
  for (const source of documents.filter(({ apiVersion }) => apiVersion === OLD)) {
    for (const path of FLAG_MAPS) listFlags(source.document, path);
    source.document.set('apiVersion', NEW);
    source.apiVersion = NEW;
    notes.push(
      `${source.kind}: ${OLD} is deprecated and was read as ${NEW}; \`keelson config migrate\` rewrites it`,
    );
    if (source.kind === 'JoinConfiguration') moveDiscoveryTimeout(source.document, notes);
    if (source.kind === 'ClusterConfiguration') moveControlPlaneTimeout(source.document, documents, notes);
  }
  return notes;
}

/** Flags in the order of their names, as kubeadm sorts them. */
function listFlags(document: Document, path: readonly string[]): void {
  const flags = document.getIn(path, true);
  if (!isMap(flags)) return;
  const list = new YAMLSeq(document.schema);
  list.items = flags.items.map((pair, i) => {
    const item = new YAMLMap(document.schema);
    moveComments(pair, item);
    // The parser gives a comment above the first entry to the map.
    if (i === 0 && flags.commentBefore) item.commentBefore = flags.commentBefore;
    item.items = [document.createPair('name', pair.key), document.createPair('value', pair.value)];
    return item;
  });
  const name = (item: unknown) => (isMap(item) ? String(item.get('name')) : '');
  list.items.sort((a, b) => (name(a) < name(b) ? -1 : 1));
  if (flags.range) list.range = flags.range;
  document.setIn(path, list);
}

function moveComments(pair: Pair, item: YAMLMap): void {
  if (!isScalar(pair.key)) return;
  const key: Scalar = pair.key;
  if (key.commentBefore) item.commentBefore = key.commentBefore;
  key.commentBefore = null;
}

function moveDiscoveryTimeout(document: Document, notes: string[]): void {
  const timeout = document.getIn(['discovery', 'timeout'], true);
  if (timeout === undefined) return;
  document.deleteIn(['discovery', 'timeout']);
  document.setIn(['timeouts', 'discovery'], timeout);
  notes.push('JoinConfiguration: discovery.timeout was read as timeouts.discovery');
}

function moveControlPlaneTimeout(document: Document, documents: SourceDocument[], notes: string[]): void {
  const timeout = document.getIn(['apiServer', 'timeoutForControlPlane'], true);
  if (timeout === undefined) return;
  document.deleteIn(['apiServer', 'timeoutForControlPlane']);
  if (!documents.some(({ kind }) => kind === 'InitConfiguration')) {
    const init = new Document({ apiVersion: NEW, kind: 'InitConfiguration' });
    documents.push({ apiVersion: NEW, kind: 'InitConfiguration', document: init });
  }
  for (const { kind, document: target } of documents) {
    if (kind !== 'InitConfiguration' && kind !== 'JoinConfiguration') continue;
    if (!target.hasIn(CONTROL_PLANE_TIMEOUT)) target.setIn(CONTROL_PLANE_TIMEOUT, timeout);
  }
  notes.push(
    'ClusterConfiguration: apiServer.timeoutForControlPlane was read as timeouts.controlPlaneComponentHealthCheck',
  );
}

/**
 * The text with v1beta3 documents rewritten as v1beta4; other documents and comments stay as they are.
 * @throws KeelsonError CONFIG where the text is no YAML
 */
export function migrateConfig(text: string, file = '<config>'): { text: string; notes: string[] } {
  const source = parseSource(text, file);
  if (source.problems.length > 0) throw configError(source.problems);
  const notes = migrateDocuments(source.documents);
  if (notes.length === 0) return { text, notes };
  const texts = source.documents.map(({ document }) => {
    if (document.directives) document.directives.docStart = null;
    return document.toString({ lineWidth: 0 });
  });
  return { text: texts.join('---\n'), notes };
}
