import { presentHosts } from '../../config/inventory.js';
import { CLUSTER_OPTIONS, clusterConfig } from '../cluster-options.js';
import { defineCommand } from '../command.js';

export const command = defineCommand({
  name: 'config validate',
  summary: 'check a cluster file',
  details: 'Names everything that is wrong, as file:line:column path: cause. Looks at no host.',
  options: { config: CLUSTER_OPTIONS.config },
  run: async ({ options, io }) => {
    const config = await clusterConfig(options.config, io);
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

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
