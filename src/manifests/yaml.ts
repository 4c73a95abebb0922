import { Document, parseAllDocuments, type SchemaOptions, visit } from 'yaml';
import { KeelsonError } from '../errors/keelson-error.js';

/**
 * `value` as YAML with sorted keys, sequences at their parent's indentation, no line folding and the
 * quoting that kubeadm uses: double for strings that a YAML 1.1 reader (such as Kubernetes' own) would take
 * for something else, single where the syntax needs quotes. Undefined properties are left out; null is kept.
 */
export function stringifyYaml(value: unknown): string {
  const document = new Document(value, {
    compat: 'yaml-1.1',
    sortMapEntries: byCodePoint,
    aliasDuplicateObjects: false,
  });
  visit(document, {
    Scalar(_key, node) {
      if (typeof node.value === 'string' && isAmbiguous(node.value)) node.type = 'QUOTE_DOUBLE';
    },
  });
  return document.toString({ indentSeq: false, lineWidth: 0, blockQuote: 'literal', singleQuote: true });
}

const TYPED_PLAIN_SCALARS = ['1.1', '1.2'].flatMap((version) =>
  new Document(null, { version: version as '1.1' | '1.2' }).schema.tags.flatMap((tag) =>
    'test' in tag && tag.test !== undefined ? [tag.test] : [],
  ),
);

/** True for what would not be read as a string if it stood there plain. */
function isAmbiguous(text: string): boolean {
  return text === '' || /^[yn]$/i.test(text) || TYPED_PLAIN_SCALARS.some((test) => test.test(text));
}

/** Several objects as one YAML stream. */
export function stringifyYamlStream(values: readonly unknown[]): string {
  return values.map(stringifyYaml).join('---\n');
}

/**
 * All documents of a YAML or JSON text, read as Kubernetes reads them: YAML 1.1 booleans and octals, but
 * neither timestamps nor sexagesimal numbers. Empty documents are left out.
 * @throws KeelsonError CONFIG with the parser's message, if the text is not valid
 */
export function parseKubernetesYaml(text: string): unknown[] {
  const documents = parseAllDocuments(text, KUBERNETES_YAML);
  const values: unknown[] = [];
  for (const document of documents) {
    const [error] = document.errors;
    if (error !== undefined) throw new KeelsonError('CONFIG', error.message.split('\n')[0] ?? 'invalid YAML');
    const value: unknown = document.toJS();
    if (value !== null && value !== undefined) values.push(value);
  }
  return values;
}

/** How Kubernetes reads YAML: 1.1, without times, and without numbers to base 60. */
export const KUBERNETES_YAML = {
  version: '1.1',
  customTags: (tags: Tag[]) => tags.flatMap(kubernetesTag),
} as const;

type Tag = Extract<NonNullable<SchemaOptions['customTags']>, readonly unknown[]>[number];

const FLOAT = 'tag:yaml.org,2002:float';
const DECIMAL = /^[-+]?(?:\.\d[\d_]*|\d[\d_]*\.[\d_]*)$/;
const EXPONENTIAL = /^[-+]?(?:\.\d[\d_]*|\d[\d_]*(?:\.[\d_]*)?)[eE][-+]?\d+$/;

/** A tag of YAML 1.1 as Kubernetes' reader has it: no times, and no floats without a digit such as `e0`. */
function kubernetesTag(tag: Tag): Tag[] {
  if (typeof tag === 'string' || tag.collection !== undefined) return [tag];
  if (tag.tag === 'tag:yaml.org,2002:timestamp' || ('format' in tag && tag.format === 'TIME')) return [];
  if (tag.tag !== FLOAT || tag.test?.test('.nan')) return [tag];
  return [{ ...tag, test: 'format' in tag && tag.format === 'EXP' ? EXPONENTIAL : DECIMAL }];
}

function byCodePoint(a: { key: unknown }, b: { key: unknown }): number {
  const left = String(a.key);
  const right = String(b.key);
  return left < right ? -1 : left > right ? 1 : 0;
}
