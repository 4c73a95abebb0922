import { architecturesOf } from '../../bundle/lock.js';
import { isNodeAddress } from '../../config/cidr.js';
import { architectureOf } from '../host-bundle.js';
import { minorOf } from '../versions.js';
import { defineCheck, error, linesOf, type Outcome, ok, type Subject, said, warning } from './check.js';

/** Distributions that systemd, containerd and the kubelet are known to work on, with the oldest release. */
const SYSTEMS: Readonly<Record<string, number>> = {
  debian: 11,
  ubuntu: 20.04,
  rhel: 8,
  centos: 8,
  rocky: 8,
  almalinux: 8,
  ol: 8,
  fedora: 38,
  amzn: 2023,
  'opensuse-leap': 15.4,
  sles: 15.4,
};

/** Kernels that kubeadm's system validators support: LTS of 5.x, and all later ones. */
const KERNEL = /^(?:5\.(?:4|10|15)\b|[6-9]\.|[1-9]\d+\.)/;

/** Controllers that the kubelet does not start without. */
const CONTROLLERS = ['cpu', 'cpuset', 'memory', 'pids'];

export const operatingSystem = defineCheck({
  id: 'operating-system',
  judge: ({ facts: { os } }) => {
    const name = 'OperatingSystem';
    const oldest = SYSTEMS[os.id];
    const shown = os.prettyName || os.id || 'an unknown system';
    if (oldest === undefined)
      return [warning(name, `${shown} is not among the tried systems`, 'run keelson verify after the apply')];
    if (os.versionId !== '' && Number.parseFloat(os.versionId) < oldest)
      return [warning(name, `${shown} is older than ${oldest}`, 'upgrade the operating system')];
    return [ok(name, shown)];
  },
});

export const architecture = defineCheck({
  id: 'architecture',
  judge: ({ facts, lock }) => {
    if (architectureOf(facts.architecture) === lock.architecture)
      return [ok('Architecture', facts.architecture)];
    const message = `the host is ${facts.architecture}, the bundle is for ${architecturesOf(lock).join(' and ')}`;
    return [error('Architecture', message, 'use a bundle of that architecture too, or another host')];
  },
});

export const systemd = defineCheck({
  id: 'systemd',
  probes: () => ({ running: '[ -d /run/systemd/system ] && echo yes' }),
  judge: (subject) => {
    if (subject.facts.systemd > 0 && said(subject, 'running').trim() === 'yes')
      return [ok('Systemd', `systemd ${subject.facts.systemd}`)];
    const problem = subject.facts.systemd > 0 ? 'is not the running init system' : 'is not installed';
    return [error('Systemd', `systemd ${problem}`, 'use a host that was booted with systemd')];
  },
});

export const privileged = defineCheck({
  id: 'privileged',
  probes: () => ({ uid: 'id -u' }),
  judge: (subject) => {
    const uid = said(subject, 'uid').trim();
    if (uid === '0') return [ok('IsPrivilegedUser', 'root')];
    const remedy = 'give the user passwordless sudo, or use --ask-sudo-password';
    return [error('IsPrivilegedUser', `commands run with uid ${uid}, not as root`, remedy)];
  },
});

export const systemVerification = defineCheck({
  id: 'system-verification',
  probes: () => ({
    controllers: `if [ -e /sys/fs/cgroup/cgroup.controllers ]; then cat /sys/fs/cgroup/cgroup.controllers
else while read -r name hierarchy count enabled; do [ "$enabled" = 1 ] && echo "$name"; done < /proc/cgroups; fi`,
  }),
  judge: (subject) => {
    const outcomes = [...kernelOutcomes(subject), ...cgroupOutcomes(subject)];
    const { kernel, cgroupVersion } = subject.facts;
    return outcomes.length > 0
      ? outcomes
      : [ok('SystemVerification', `Linux ${kernel}, cgroup v${cgroupVersion}`)];
  },
});

function kernelOutcomes({ facts, member }: Subject): Outcome[] {
  if (member || KERNEL.test(facts.kernel)) return [];
  const message = `Linux ${facts.kernel} is no kernel that Kubernetes supports (5.4, 5.10, 5.15, 6 and later)`;
  return [warning('SystemVerification', message, 'upgrade the kernel')];
}

function cgroupOutcomes(subject: Subject): Outcome[] {
  const { facts, config, member } = subject;
  const enabled = new Set(linesOf(subject, 'controllers').flatMap((line) => line.split(/\s+/)));
  const missing = CONTROLLERS.filter((name) => !enabled.has(name));
  const outcomes: Outcome[] = [];
  if (missing.length > 0) {
    const remedy = 'enable them on the kernel command line (cgroup_enable=…) and boot again';
    outcomes.push(error('SystemVerification', `cgroup controllers missing: ${missing.join(', ')}`, remedy));
  }
  if (facts.cgroupVersion === 2) return outcomes;
  if (config.kubelet.failCgroupV1 !== false && minorOf(config.cluster.kubernetesVersion) >= 35) {
    const message = 'the host has cgroup v1, with which the kubelet does not start';
    const remedy = 'boot with systemd.unified_cgroup_hierarchy=1, or set failCgroupV1: false';
    outcomes.push(error('SystemVerification', message, remedy));
  } else if (!member) {
    const message = 'cgroup v1 is deprecated in Kubernetes';
    outcomes.push(warning('SystemVerification', message, 'boot with systemd.unified_cgroup_hierarchy=1'));
  }
  return outcomes;
}

export const nodeAddress = defineCheck({
  id: 'node-address',
  judge: ({ facts, host }) => {
    if (facts.addresses.length === 0 || !isNodeAddress(host.nodeIP)) return [];
    const wanted = [host.nodeIP, ...(host.secondaryNodeIP === undefined ? [] : [host.secondaryNodeIP])];
    const missing = wanted.filter((own) => !facts.addresses.some(({ address }) => address === own));
    if (missing.length === 0) return [ok('NodeIP', wanted.join(', '))];
    const has = facts.addresses.map(({ address }) => address).join(', ');
    const message = `the host has no address ${missing.join(', ')} (it has ${has})`;
    return [error('NodeIP', message, 'correct nodeIP (or address) of the host in the cluster file')];
  },
});
