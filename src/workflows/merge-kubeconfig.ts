import { isDeepStrictEqual } from 'node:util';
import { type Document, isMap, isSeq, parse, parseDocument, type YAMLMap, YAMLSeq } from 'yaml';
import { KeelsonError } from '../errors/keelson-error.js';

interface Named {
  name: string;
  [key: string]: unknown;
}

/** What keelson reads of a kubeconfig: one cluster, one user, one context. */
interface AdminConfig {
  clusters: Named[];
  users: Named[];
  contexts: (Named & { context: { cluster: string; user: string } })[];
  'current-context': string;
}

const SECTIONS = ['clusters', 'users', 'contexts'] as const;

export interface MergeOptions {
  /** Name of the file that is merged into, for errors. */
  file: string;
  /** Overwrite entries of the same name that say something else. */
  replace: boolean;
  /** Make the merged context the current one; otherwise only where there is none. */
  use: boolean;
}

/** The kubeconfig with its cluster and context called `name`, and its user `name-admin`. */
export function renamedKubeconfig(text: string, name: string): string {
  const document = parseDocument(text);
  const user = `${name}-admin`;
  document.setIn(['clusters', 0, 'name'], name);
  document.setIn(['users', 0, 'name'], user);
  document.setIn(['contexts', 0, 'name'], name);
  document.setIn(['contexts', 0, 'context', 'cluster'], name);
  document.setIn(['contexts', 0, 'context', 'user'], user);
  document.set('current-context', name);
  return textOf(document, text);
}

/**
 * `into` with the cluster, user and context of `from` added. All other entries, and comments, stay.
 * @param into text of a kubeconfig; '' for a new one
 * @throws CONFLICT where an entry of the same name says something else; CONFIG where `into` is no kubeconfig
 */
export function mergeKubeconfig(into: string, from: string, options: MergeOptions): string {
  const document = parseDocument(into);
  // Empty, or comments alone.
  if (document.errors.length === 0 && document.contents === null)
    return into.trim() === '' ? from : `${into.trimEnd()}\n${from}`;
  if (document.errors.length > 0 || !isMap(document.contents)) {
    throw new KeelsonError(
      'CONFIG',
      `${options.file} is no kubeconfig: ${document.errors[0]?.message ?? 'not a mapping'}`,
      {
        hint: 'name another file, or move this one away',
      },
    );
  }
  const source = parse(from) as AdminConfig;
  const clashes: string[] = [];
  for (const section of SECTIONS) {
    const entries = sectionOf(document, section, options.file);
    for (const wanted of source[section]) {
      const at = entries.items.findIndex((item) => isMap(item) && item.get('name') === wanted.name);
      if (at < 0) {
        entries.add(document.createNode(wanted));
      } else if (!isDeepStrictEqual((entries.items[at] as YAMLMap).toJSON(), wanted)) {
        if (options.replace) entries.set(at, document.createNode(wanted));
        else clashes.push(`${section.slice(0, -1)} ${wanted.name}`);
      }
    }
  }
  if (clashes.length > 0) {
    throw new KeelsonError('CONFLICT', `${options.file} has another ${clashes.join(', another ')}`, {
      hint: 'choose another name with --context-name, or overwrite with --replace',
    });
  }
  const current = document.get('current-context');
  if (options.use || current === undefined || current === null || current === '') {
    document.set('current-context', source['current-context']);
  }
  return textOf(document, into);
}

function sectionOf(document: Document, section: string, file: string): YAMLSeq {
  const found = document.get(section);
  if (isSeq(found)) {
    found.flow = false;
    return found as YAMLSeq;
  }
  if (found !== undefined && found !== null) {
    throw new KeelsonError('CONFIG', `${file} is no kubeconfig: ${section} is no list`, {
      hint: 'name another file, or move this one away',
    });
  }
  const made = new YAMLSeq();
  document.set(section, made);
  return made;
}

/** In the style of `like`: kubectl writes lists without indentation, some write `{a: b}` without spaces. */
export function textOf(document: Document, like: string): string {
  return document.toString({
    lineWidth: 0,
    indentSeq: !/^(clusters|users|contexts):\n- /m.test(like),
    flowCollectionPadding: !/: \{\S/.test(like),
  });
}
