import { parseAllDocuments } from 'yaml';
import { KeelsonError } from '../errors/keelson-error.js';
import { isObject } from './json.js';
import { KUBERNETES_YAML } from './yaml.js';

/** A Kubernetes object as a manifest has it. */
export interface ManifestObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; [key: string]: unknown };
  [key: string]: unknown;
}

/**
 * Objects of a YAML or JSON stream, Lists taken apart. Read as kubectl reads them: YAML 1.1, without times and
 * numbers to base 60.
 * @param name of the file, as errors show it
 * @throws KeelsonError CONFIG naming what is no YAML and what is no object
 */
export function parseManifests(text: string, name: string): ManifestObject[] {
  const documents = parseAllDocuments(text, { ...KUBERNETES_YAML, logLevel: 'error' });
  if (!Array.isArray(documents)) return [];
  return documents.flatMap((document) => {
    const [error] = document.errors;
    if (error !== undefined) {
      const line = error.linePos?.[0].line ?? 0;
      throw new KeelsonError(
        'CONFIG',
        `${name}:${line}: ${error.message.split('\n')[0]?.replace(/ at line .*/, '')}`,
      );
    }
    return objectsOf(document.toJS({ maxAliasCount: 1000 }), name);
  });
}

function objectsOf(value: unknown, name: string): ManifestObject[] {
  if (value === null || value === undefined) return [];
  if (!isObject(value))
    throw new KeelsonError('CONFIG', `${name} has a document that is no Kubernetes object`);
  const { apiVersion, kind, metadata } = value;
  if (typeof apiVersion !== 'string' || typeof kind !== 'string' || apiVersion === '' || kind === '')
    throw new KeelsonError('CONFIG', `${name} has an object without apiVersion or kind`);
  if (kind.endsWith('List') && Array.isArray(value.items))
    return value.items.flatMap((item: unknown) => objectsOf(item, name));
  if (!isObject(metadata) || typeof metadata.name !== 'string' || metadata.name === '')
    throw new KeelsonError('CONFIG', `${name} has a ${kind} without a name`, {
      hint: 'generateName makes another object each time; give it a name',
    });
  return [value as unknown as ManifestObject];
}
