import { toKeelsonError } from '../errors/keelson-error.js';
import type { ClusterClient } from './client.js';

/** Objects of one resource, all read through the API server. */
export interface ObjectCount {
  /** `''` for the core group. */
  group: string;
  resource: string;
  count: number;
  /** Why they could not be read; null where they could. */
  failure: string | null;
}

interface Served {
  name: string;
  verbs: string[];
}

const PAGE = 500;
const READ_MS = 60_000;

/**
 * Reads every object that an API server has and counts it by resource, in the group's preferred version. What can't
 * be read, because it can't be decrypted for example, is named instead.
 */
export async function objectCounts(client: ClusterClient): Promise<ObjectCount[]> {
  const { groups = [] } = (await client.request('GET', '/apis')).body as {
    groups?: { name: string; preferredVersion: { version: string } }[];
  };
  const all = [
    { group: '', path: '/api/v1' },
    ...groups.map(({ name, preferredVersion }) => ({
      group: name,
      path: `/apis/${name}/${preferredVersion.version}`,
    })),
  ];
  const counts: ObjectCount[] = [];
  for (const { group, path } of all) {
    // One group whose own API server is not there says nothing of the others.
    const resources = await servedAt(client, path).catch(() => []);
    for (const { name } of resources) counts.push(await countOf(client, { group, resource: name, path }));
  }
  return counts;
}

async function servedAt(client: ClusterClient, path: string): Promise<Served[]> {
  const { body } = await client.request('GET', path);
  const { resources = [] } = body as { resources?: Served[] };
  return resources.filter(({ name, verbs }) => !name.includes('/') && verbs.includes('list'));
}

async function countOf(
  client: ClusterClient,
  { group, resource, path }: { group: string; resource: string; path: string },
): Promise<ObjectCount> {
  let count = 0;
  let next: string | undefined;
  try {
    do {
      const from = next === undefined ? '' : `&continue=${encodeURIComponent(next)}`;
      const { body } = await client.request('GET', `${path}/${resource}?limit=${PAGE}${from}`, {
        timeoutMs: READ_MS,
      });
      const page = body as { items?: unknown[]; metadata?: { continue?: string } };
      count += page.items?.length ?? 0;
      next = page.metadata?.continue;
    } while (next !== undefined && next !== '');
    return { group, resource, count, failure: null };
  } catch (thrown) {
    const error = toKeelsonError(thrown);
    if (error.code === 'ABORTED' || error.code === 'CONNECTION') throw error;
    return { group, resource, count, failure: error.message };
  }
}
