import { type Document, isMap, isScalar, isSeq, stringify, type YAMLMap } from 'yaml';
import { KeelsonError } from '../errors/keelson-error.js';
import { parseSource } from './documents.js';
import { entriesOf } from './host-patterns.js';
import { configError } from './problems.js';

/**
 * The text of a cluster file with a host's `state` set; comments and all other documents stay. The same text where
 * the host has that state already. Spacing inside of the Cluster document may change.
 * @throws KeelsonError CONFIG where the text is no YAML, USAGE for a host that it has not
 */
export function withHostState(
  text: string,
  name: string,
  state: 'present' | 'absent',
  file = '<config>',
): string {
  const source = parseSource(text, file);
  if (source.problems.length > 0) throw configError(source.problems);
  const cluster = source.documents.find(({ kind }) => kind === 'Cluster')?.document;
  const host =
    cluster === undefined ? undefined : (hostIn(cluster, name) ?? takenOutOfPattern(cluster, name));
  if (cluster === undefined || host === undefined)
    throw new KeelsonError('USAGE', `${file} has no host ${name}`);
  if ((host.get('state') ?? 'present') === state) return text;
  if (state === 'present') host.delete('state');
  else host.set('state', state);
  const [from, to] = rangeOf(cluster, text);
  return text.slice(0, from) + rendered(cluster, text.slice(from, to)) + text.slice(to);
}

function hostIn(cluster: Document, name: string): YAMLMap | undefined {
  const hosts = cluster.getIn(['spec', 'hosts']);
  if (!isSeq(hosts)) return undefined;
  return hosts.items.find((host): host is YAMLMap => isMap(host) && host.get('name') === name);
}

/** An entry of its own, behind the pattern that stood for the host so far. */
function takenOutOfPattern(cluster: Document, name: string): YAMLMap | undefined {
  const hosts = cluster.getIn(['spec', 'hosts']);
  if (!isSeq(hosts)) return undefined;
  for (const [index, pattern] of hosts.items.entries()) {
    if (!isMap(pattern) || !String(pattern.get('name')).includes('[')) continue;
    const entry = entriesOf(pattern, () => undefined).find((candidate) => candidate.get('name') === name);
    if (entry === undefined) continue;
    delete entry.commentBefore;
    hosts.items.splice(index + 1, 0, entry);
    return entry;
  }
  return undefined;
}

/** Only the document's own part of the stream is written anew. */
function rangeOf(cluster: Document, text: string): [number, number] {
  const [from = 0, , to = text.length] = cluster.range ?? [];
  // Comments above the first document are its own, but not of its range.
  return [/^(\s*#.*\n|\s*\n)*$/.test(text.slice(0, from)) ? 0 : from, to];
}

/** In the style of the text before: its indentation of lists, and its braces. */
function rendered(document: Document, before: string): string {
  return document.toString({
    lineWidth: 0,
    indentSeq: !/^( *)[\w.-]+:[ \t]*\n\1- /m.test(before),
    flowCollectionPadding: !/[{[][^\s{}[\]]/.test(before),
  });
}

/**
 * The text of a cluster file with another Kubernetes version and another bundle; not one other byte changes.
 * @param bundle from the bundle's path as it stands in the file to the new one
 * @throws KeelsonError CONFIG where the text is no YAML, or where one of the two does not stand in it as a plain value
 */
export function withKubernetesVersion(
  text: string,
  version: string,
  bundle: (before: string) => string,
  file = '<config>',
): string {
  const source = parseSource(text, file);
  if (source.problems.length > 0) throw configError(source.problems);
  const edits = [
    { kind: 'ClusterConfiguration', path: ['kubernetesVersion'], next: () => version },
    { kind: 'Cluster', path: ['spec', 'bundle'], next: bundle },
  ].map(({ kind, path, next }) => {
    const document = source.documents.find((candidate) => candidate.kind === kind)?.document;
    const node = document?.getIn(path, true);
    const [from, to] = (isScalar(node) ? node.range : undefined) ?? [];
    if (!isScalar(node) || from === undefined || to === undefined) {
      throw new KeelsonError('CONFIG', `${file} has no ${path.join('.')} of its own in ${kind}`, {
        hint: `write ${path.join('.')} into the ${kind} document as a plain value`,
      });
    }
    const before = String(node.value);
    const after = next(before);
    return { from, to, text: after === before ? text.slice(from, to) : stringify(after).trimEnd() };
  });
  return edits
    .sort((a, b) => b.from - a.from)
    .reduce((result, edit) => result.slice(0, edit.from) + edit.text + result.slice(edit.to), text);
}
