import { defineCheck, error, ok } from './check.js';

/** kubeadm's minimum for a control plane (constants.go: ControlPlaneNumCPU, ControlPlaneMem in MB of 2^20). */
const CONTROL_PLANE_CPUS = 2;
const CONTROL_PLANE_MB = 1700;

export const cpus = defineCheck({
  id: 'cpus',
  judge: ({ facts, host }) => {
    if (host.role !== 'control-plane' || facts.cpus >= CONTROL_PLANE_CPUS)
      return [ok('NumCPU', `${facts.cpus} CPUs`)];
    const message = `${facts.cpus} CPUs are fewer than the ${CONTROL_PLANE_CPUS} that a control plane needs`;
    return [error('NumCPU', message, 'give the machine more CPUs')];
  },
});

export const memory = defineCheck({
  id: 'memory',
  judge: ({ facts, host }) => {
    const megabytes = Math.floor(facts.memoryBytes / 1024 / 1024);
    if (host.role !== 'control-plane' || megabytes >= CONTROL_PLANE_MB)
      return [ok('Mem', `${megabytes} MB of memory`)];
    const message = `${megabytes} MB of memory are less than the ${CONTROL_PLANE_MB} MB that a control plane needs`;
    return [error('Mem', message, 'give the machine more memory')];
  },
});

export const swap = defineCheck({
  id: 'swap',
  judge: ({ facts, config }) => {
    if (facts.swapBytes === 0) return [ok('Swap', 'no swap')];
    const megabytes = Math.round(facts.swapBytes / 1024 / 1024);
    if (config.kubelet.failSwapOn === false)
      return [ok('Swap', `${megabytes} MB, allowed by failSwapOn: false`)];
    if (config.spec.preparation.swap === 'disable')
      return [ok('Swap', `${megabytes} MB, which are turned off`)];
    const remedy =
      'set preparation.swap: disable, or swapoff -a and take it out of /etc/fstab, or set failSwapOn: false in KubeletConfiguration';
    return [error('Swap', `${megabytes} MB of swap are on, with which the kubelet does not start`, remedy)];
  },
});
