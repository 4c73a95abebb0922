import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  visit,
} from 'yaml';
import { formatPath, type Path, type Problem } from './problems.js';

export interface SourceDocument {
  apiVersion: string;
  kind: string;
  document: Document;
}

/** A YAML stream with the means to say where something stands in it. */
export interface Source {
  file: string;
  documents: SourceDocument[];
  /** What is wrong with the YAML itself. */
  problems: Problem[];
  lines: LineCounter;
}

/** Reads a YAML stream; documents without content are left out. Never throws: see `problems`. */
export function parseSource(text: string, file: string): Source {
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, {
    lineCounter: lines,
    prettyErrors: false,
    merge: true,
    logLevel: 'error',
  });
  const source: Source = { file, documents: [], problems: [], lines };
  for (const document of Array.isArray(parsed) ? parsed : []) {
    for (const error of [...document.errors, ...document.warnings]) {
      source.problems.push({ file, ...place(lines, error.pos[0]), path: '', message: yamlCause(error) });
    }
    if (document.errors.length > 0 || isEmpty(document)) continue;
    if (!resolves(source, document)) continue;
    const identity = identify(source, document);
    if (identity !== null) source.documents.push(identity);
    source.problems.push(...ambiguities(source, document));
  }
  return source;
}

function isEmpty(document: Document): boolean {
  return document.contents === null || (isScalar(document.contents) && document.contents.value === null);
}

/**
 * Aliases without anchor, merges of what is no map, and aliases that multiply beyond all measure are found
 * only on resolving them.
 */
function resolves(source: Source, document: Document): boolean {
  try {
    document.toJS();
    return true;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    source.problems.push(problemAt(source, document, [], lowered(error.message)));
    return false;
  }
}

const lowered = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);

function yamlCause(error: { code: string; message: string }): string {
  if (error.code === 'DUPLICATE_KEY') return 'this key stands here twice';
  if (error.code === 'TAB_AS_INDENT') return 'tabs cannot indent YAML: use spaces';
  return error.message.replace(/\s+/g, ' ');
}

function identify(source: Source, document: Document): SourceDocument | null {
  if (!isMap(document.contents)) {
    source.problems.push(problemAt(source, document, [], 'a document is a map with apiVersion and kind'));
    return null;
  }
  const [apiVersion, kind] = ['apiVersion', 'kind'].map((field) => {
    const value = document.get(field);
    if (typeof value === 'string' && value !== '') return value;
    source.problems.push(problemAt(source, document, [field], 'required: every document names its kind'));
    return null;
  });
  return typeof apiVersion === 'string' && typeof kind === 'string' ? { apiVersion, kind, document } : null;
}

function place(lines: LineCounter, offset: number): { line: number; column: number } {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

/**
 * A problem at a path of a document: at its value, at its key, or where that is missing at the nearest
 * enclosing value.
 */
export function problemAt(
  source: Source,
  document: Document,
  path: Path,
  message: string,
  options: { at?: 'key' | 'value'; suggestion?: string | undefined } = {},
): Problem {
  const offset = offsetOf(document, path, options.at ?? 'value');
  const problem = { file: source.file, ...place(source.lines, offset), path: formatPath(path), message };
  return options.suggestion === undefined ? problem : { ...problem, suggestion: options.suggestion };
}

function offsetOf(document: Document, path: Path, at: 'key' | 'value'): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const [depth, part] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document);
    if (isSeq(node)) {
      node = node.items[Number(part)];
    } else if (isMap(node)) {
      const pair = node.items.find((item) => keyText(item.key) === String(part));
      if (pair === undefined) return offset;
      if (at === 'key' && depth === path.length - 1) return startOf(pair.key) ?? offset;
      offset = startOf(pair.key) ?? offset;
      node = pair.value;
    } else {
      return offset;
    }
    offset = startOf(node) ?? offset;
  }
  return offset;
}

/** Keys of nodes that were added to a document are plain strings. */
const keyText = (key: unknown): string => String(isScalar(key) ? key.value : key);

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}

/**
 * Plain scalars that kubeadm and the kubelet (YAML 1.1) read as another value than YAML 1.2 does. Refusing
 * them keeps one meaning for one file.
 */
function ambiguities(source: Source, document: Document): Problem[] {
  const problems: Problem[] = [];
  visit(document, {
    Pair(_key, pair, ancestors) {
      if (isScalar(pair.key) || isAlias(pair.key)) return;
      const at = place(source.lines, startOf(pair.key) ?? 0);
      const message = 'a key is plain text; quote it where it begins with a bracket or brace';
      problems.push({ file: source.file, ...at, path: formatPath(pathOf(ancestors)), message });
    },
    Scalar(_key, node, ancestors) {
      if (node.type !== 'PLAIN' || node.source === undefined) return;
      const remedy = ambiguity(node.source);
      if (remedy === null) return;
      const path = pathOf([...ancestors, node]);
      const at = place(source.lines, startOf(node) ?? 0);
      problems.push({ file: source.file, ...at, path: formatPath(path), message: remedy });
    },
  });
  return problems;
}

function ambiguity(source: string): string | null {
  if (/^(y|yes|on)$/i.test(source)) return `\`${source}\` is a boolean to YAML 1.1: write true, or quote it`;
  if (/^(n|no|off)$/i.test(source)) return `\`${source}\` is a boolean to YAML 1.1: write false, or quote it`;
  if (/^[-+]?0\d+$/.test(source))
    return `\`${source}\` is octal to YAML 1.1: drop the leading zero, or quote it`;
  if (/^[-+]?(0b[01_]+|\d[\d_]*_[\d_]*(\.[\d_]*)?)$/.test(source)) {
    return `\`${source}\` is a number to YAML 1.1: write it in plain digits, or quote it`;
  }
  return null;
}

function pathOf(ancestors: readonly unknown[]): (string | number)[] {
  const path: (string | number)[] = [];
  for (const [i, node] of ancestors.entries()) {
    if (isPair(node) && isScalar(node.key)) path.push(String(node.key.value));
    else if (isSeq(node)) path.push(node.items.indexOf(ancestors[i + 1] as Node));
  }
  return path;
}
