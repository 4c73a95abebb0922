import { presentHosts } from '../../config/inventory.js';
import type { Problem } from '../../config/problems.js';
import type { ClusterConfig } from '../../config/types.js';
import { exitCodeOf, KeelsonError } from '../../errors/keelson-error.js';
import { CLUSTER_OPTIONS, clusterConfig } from '../cluster-options.js';
import { defineCommand } from '../command.js';

export const command = defineCommand({
  name: 'config validate',
  summary: 'check a cluster file',
  details:
    'Names everything that is wrong, as file:line:column path: cause; with -o json or yaml on stdout, as errors. Looks at no host.',
  options: { config: CLUSTER_OPTIONS.config },
  run: async ({ options, io, global }) => {
    let config: ClusterConfig;
    try {
      config = await clusterConfig(options.config, io);
    } catch (error) {
      const asData = global.output === 'json' || global.output === 'yaml';
      if (!asData || !(error instanceof KeelsonError) || error.code !== 'CONFIG') throw error;
      return {
        data: { valid: false, errors: errorsOf(error, options.config) },
        text: '',
        exitCode: exitCodeOf(error),
      };
    }
    const hosts = presentHosts(config);
    const controlPlanes = hosts.filter((host) => host.role === 'control-plane').length;
    const etcdHosts = hosts.filter((host) => host.role === 'etcd').length;
    const { kubernetesVersion } = config.cluster;
    const data = {
      valid: true,
      cluster: config.name,
      kubernetesVersion,
      controlPlanes,
      workers: hosts.filter((host) => host.role === 'worker').length,
      etcdHosts,
      network: config.spec.network.plugin,
      notes: config.notes,
    };
    const summary = `${options.config} is valid: ${config.name}, Kubernetes ${kubernetesVersion}, ${count(controlPlanes, 'control plane')}, ${count(data.workers, 'worker')}${etcdHosts === 0 ? '' : `, ${count(etcdHosts, 'etcd host')}`}, network ${data.network}.`;
    return { data, text: [...config.notes.map((note) => `note: ${note}`), summary].join('\n') };
  },
});

/** Every problem with its place, or the one error of a file that can't be read at all. */
function errorsOf(error: KeelsonError, file: string) {
  const problems = Array.isArray(error.details) ? (error.details as Problem[]) : [];
  const hint = error.hint ?? null;
  if (problems.length === 0)
    return [{ file, line: null, column: null, path: '', message: error.message, hint }];
  return problems.map(({ file: of, line, column, path, message }) => ({
    file: of,
    line,
    column,
    path,
    message,
    hint,
  }));
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
