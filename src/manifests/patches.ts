import { KeelsonError } from '../errors/keelson-error.js';
import { isObject } from './json.js';
import { jsonMergePatch, jsonPatch } from './json-patch.js';
import { strategicMerge } from './strategic-merge.js';
import { DEPLOYMENT_SCHEMA, KUBELET_SCHEMA, type MergeSchema, POD_SCHEMA } from './strategic-merge-schema.js';
import { parseKubernetesYaml } from './yaml.js';

/** A file of a kubeadm patches directory. */
export interface PatchFile {
  /** File name without directory: `kube-apiserver0+merge.yaml`. */
  name: string;
  content: string;
}

const SCHEMAS = {
  etcd: POD_SCHEMA,
  'kube-apiserver': POD_SCHEMA,
  'kube-controller-manager': POD_SCHEMA,
  'kube-scheduler': POD_SCHEMA,
  kubeletconfiguration: KUBELET_SCHEMA,
  corednsdeployment: DEPLOYMENT_SCHEMA,
} as const satisfies Record<string, MergeSchema>;

export type PatchTarget = keyof typeof SCHEMAS;
type PatchType = 'strategic' | 'merge' | 'json';

export interface PatchName {
  target: PatchTarget;
  type: PatchType;
}

const TARGETS = Object.keys(SCHEMAS) as PatchTarget[];
const NAME = new RegExp(`^(${TARGETS.join('|')})([^.+\\n]*)(\\+)?(json|merge|strategic)?`);

/**
 * Target and type from a file name `target[suffix][+patchtype].{yaml,json}`; null for a file that is
 * ignored, because its extension or its target is none of those known. Default type: strategic.
 * @throws KeelsonError CONFIG for an unknown type after `+`
 */
export function parsePatchName(name: string): PatchName | null {
  const match = /.\.(json|yaml)$/.test(name) ? NAME.exec(name) : null;
  const target = TARGETS.find((known) => known === match?.[1]);
  if (match === null || target === undefined) return null;
  const type = match[4];
  if (match[3] !== undefined && type === undefined) {
    throw new KeelsonError('CONFIG', `patch ${name}: unknown patch type after '+'`, {
      hint: 'use +strategic, +merge or +json',
    });
  }
  return { target, type: type === 'json' || type === 'merge' ? type : 'strategic' };
}

/**
 * `object` after all patches of `target`, in the order of their file names; each document of a file is a
 * patch. The object itself is left as it is.
 * @throws KeelsonError CONFIG naming the file that is not valid or does not apply
 */
export function applyPatches<T extends object>(
  target: PatchTarget,
  object: T,
  files: readonly PatchFile[],
): T {
  const ordered = [...files].sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
  let result: unknown = object;
  for (const file of ordered) {
    const name = parsePatchName(file.name);
    if (name?.target !== target) continue;
    result = inFile(file.name, () =>
      parseKubernetesYaml(file.content).reduce(
        (patched, patch) => applyPatch(patched, patch, name.type, SCHEMAS[target]),
        result,
      ),
    );
  }
  return result as T;
}

function applyPatch(object: unknown, patch: unknown, type: PatchType, schema: MergeSchema): unknown {
  if (type === 'json') return expectObject(jsonPatch(object, patch), 'the result of the patch');
  const map = expectObject(patch, 'the patch');
  if (type === 'merge') return jsonMergePatch(object, map);
  return strategicMerge(expectObject(object, 'the patched object'), map, schema);
}

function expectObject(value: unknown, what: string): Record<string, unknown> {
  if (!isObject(value)) throw new KeelsonError('CONFIG', `${what} is not an object`);
  return value;
}

function inFile<T>(name: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof KeelsonError)) throw error;
    throw new KeelsonError('CONFIG', `patch ${name}: ${error.message}`, { hint: error.hint, cause: error });
  }
}
