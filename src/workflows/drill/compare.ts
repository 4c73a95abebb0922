import type { ObjectCount } from '../../cluster/object-counts.js';

/** One resource of a snapshot, beside what an API server read of it. */
export interface ResourceDrill {
  /** As the snapshot has it: `secrets`, `apps.example.com/widgets`. */
  resource: string;
  /** Objects in the snapshot. */
  stored: number;
  /** Objects that the API server read; null for what is no resource of the API. */
  read: number | null;
  /** What is wrong; null where nothing is. */
  problem: string | null;
}

/** etcd's names of resources that the API calls otherwise (pkg/kubeapiserver/default_storage_factory_builder.go). */
const API_NAMES: Readonly<Record<string, string>> = {
  controllers: 'replicationcontrollers',
  minions: 'nodes',
  ingress: 'ingresses',
};

/** What an API server removes by itself, since its time has come. */
const PASSING = ['events', 'leases'];

/**
 * What an API server read, beside what a snapshot has. It may have read more: it writes objects of its own as it
 * starts. Pure.
 */
export function compareCounts(
  stored: Readonly<Record<string, number>>,
  read: readonly ObjectCount[],
): ResourceDrill[] {
  return Object.entries(stored)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([resource, count]) => {
      const found = readOf(resource, read);
      return {
        resource,
        stored: count,
        read: found?.count ?? null,
        problem: found === undefined ? null : problemOf(resource, count, found),
      };
    });
}

/** The API's resource of that name in etcd; without a group in the name it is one of Kubernetes' own. */
function readOf(resource: string, read: readonly ObjectCount[]): ObjectCount | undefined {
  const [group, name] = resource.split('/');
  if (name !== undefined) return read.find((own) => own.group === group && own.resource === name);
  const wanted = API_NAMES[resource] ?? resource;
  return read.find((own) => own.resource === wanted && isBuiltIn(own.group));
}

const isBuiltIn = (group: string): boolean => !group.includes('.') || group.endsWith('.k8s.io');

function problemOf(resource: string, stored: number, { count, failure }: ObjectCount): string | null {
  if (failure !== null) return `${resource} can't be read: ${failure}`;
  if (count >= stored || PASSING.includes(resource)) return null;
  return `${resource}: the snapshot has ${stored}, the API server read ${count}`;
}
