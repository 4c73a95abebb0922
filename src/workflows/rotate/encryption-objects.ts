import pLimit from 'p-limit';
import { type ClusterClient, statusOf } from '../../cluster/client.js';
import { lastArgument } from '../../manifests/component-arguments.js';
import { firstMember } from '../../phases/etcd-access.js';
import { readEncryption } from '../../pki/encryption-config.js';
import { observeTrust } from '../require.js';
import { encryptionFile } from './encryption-file.js';
import type { Run } from './run.js';

/** Objects that are written at once. */
const AT_ONCE = 8;
const PAGE = 500;
const NAMES_ONLY = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';
/** A value that is encrypted tells with what: `k8s:enc:PROVIDER:v1:KEY:`. */
const HEAD = /^k8s:enc:\w+:v1:([^:]*):/;
const HEAD_BYTES = 256;

interface Served {
  /** REST path of the version: `/api/v1`, `/apis/apps/v1`. */
  base: string;
  name: string;
}

/**
 * Writes every object that is encrypted anew, by a patch that changes nothing: an API server that finds a value of
 * another key than the first writes it, and nobody else sees what is in it.
 */
export async function rewriteObjects(run: Run): Promise<void> {
  const api = await run.api();
  const { path, text } = await encryptionFile(run.session, run.session.context.first.name);
  const limit = pLimit(AT_ONCE);
  let done = 0;
  for (const { base, name } of await servedOf(api, readEncryption(text, path).resources)) {
    const objects = await namesOf(api, `${base}/${name}`);
    await Promise.all(
      objects.map((object) =>
        limit(async () => {
          run.stop.throwIfAborted();
          const place = object.namespace === undefined ? '' : `namespaces/${object.namespace}/`;
          await touch(run, `${base}/${place}${name}/${encodeURIComponent(object.name)}`);
        }),
      ),
    );
    done += objects.length;
  }
  const note = `${done} ${done === 1 ? 'object was' : 'objects were'} written anew`;
  run.session.emit({ type: 'note', host: '', level: 'info', text: note });
}

async function touch(run: Run, path: string): Promise<void> {
  try {
    const api = await run.api();
    await api.request('PATCH', path, { body: '{}', contentType: 'application/merge-patch+json' });
  } catch (error) {
    if (statusOf(error) !== 404) throw error;
  }
}

async function namesOf(api: ClusterClient, path: string): Promise<{ name: string; namespace?: string }[]> {
  const found: { name: string; namespace?: string }[] = [];
  let next = '';
  do {
    const query = `?limit=${PAGE}${next === '' ? '' : `&continue=${encodeURIComponent(next)}`}`;
    const { body } = await api.request('GET', `${path}${query}`, { accept: NAMES_ONLY });
    // A list without any has null.
    const { items, metadata } = body as {
      items?: { metadata: { name: string; namespace?: string } }[] | null;
      metadata?: { continue?: string };
    };
    found.push(...(items ?? []).map((item) => item.metadata));
    next = metadata?.continue ?? '';
  } while (next !== '');
  return found;
}

/** The resources that an encryption configuration names, `secrets`, `widgets.example.com`, `*.`, `*.apps`, `*.*`. */
export async function servedOf(api: ClusterClient, wanted: readonly string[]): Promise<Served[]> {
  const groups = new Map([['', '/api/v1']]);
  const { body } = await api.request('GET', '/apis');
  for (const { name, preferredVersion } of (body as GroupList).groups ?? [])
    groups.set(name, `/apis/${preferredVersion.groupVersion}`);
  const served: Served[] = [];
  for (const [group, base] of groups) {
    const names = wanted.flatMap((entry) => resourceIn(entry, group));
    if (names.length === 0) continue;
    const { resources = [] } = (await api.request('GET', base)).body as ResourceList;
    served.push(
      ...resources
        .filter(({ name, verbs }) => !name.includes('/') && verbs.includes('list') && verbs.includes('patch'))
        .filter(({ name }) => names.includes('*') || names.includes(name))
        .map(({ name }) => ({ base, name })),
    );
  }
  return served;
}

interface GroupList {
  groups?: { name: string; preferredVersion: { groupVersion: string } }[];
}
interface ResourceList {
  resources?: { name: string; verbs: string[] }[];
}

/** The resource that an entry names in a group; none where it means another group. */
function resourceIn(entry: string, group: string): string[] {
  const dot = entry.indexOf('.');
  const [name, of] = dot < 0 ? [entry, ''] : [entry.slice(0, dot), entry.slice(dot + 1)];
  return of === group || (name === '*' && of === '*') ? [name] : [];
}

/** Keys of etcd whose values were encrypted with a key of that name. */
export async function writtenWith(run: Run, keyName: string): Promise<string[]> {
  const { context } = run.session;
  const { extraArgs } = context.config.cluster.apiServer;
  await observeTrust(run.session);
  const etcd = await firstMember(context);
  const found: string[] = [];
  try {
    const prefix = `${lastArgument(extraArgs, 'etcd-prefix') ?? '/registry'}/`;
    await etcd.each(prefix, (key, value) => {
      const [, name] = HEAD.exec(value.toString('latin1', 0, HEAD_BYTES)) ?? [];
      if (name === keyName) found.push(key);
    });
  } finally {
    await etcd.close();
  }
  return found;
}
