import { KNOWN_MINORS, knownFeatureGates } from '../feature-gates.js';
import { parseGoDuration } from '../go-duration.js';
import { nearest } from '../suggest.js';
import type { Rule } from './rule.js';

/** Files and flags are those of a minor version; of others keelson would only guess. Patch releases differ in neither. */
export const knownVersion: Rule = ({ ClusterConfiguration }, report) => {
  if (ClusterConfiguration === undefined) return;
  const [, minor = ''] = /^v?(\d+\.\d+)/.exec(ClusterConfiguration.kubernetesVersion) ?? [];
  if (KNOWN_MINORS.includes(minor)) return;
  const known = KNOWN_MINORS.map((each) => `v${each}`).join(', ');
  const message = `this keelson knows Kubernetes ${known}: write a release of these, or use a keelson that knows v${minor}`;
  report('ClusterConfiguration', ['kubernetesVersion'], message);
};

/** Feature gates are those of kubeadm in that version. */
export const featureGates: Rule = ({ ClusterConfiguration }, report) => {
  if (ClusterConfiguration === undefined) return;
  const known = knownFeatureGates(ClusterConfiguration.kubernetesVersion);
  if (known === null) return;
  for (const gate of Object.keys(ClusterConfiguration.featureGates ?? {})) {
    if (known.includes(gate)) continue;
    const suggestion = nearest(gate, known);
    const version = ClusterConfiguration.kubernetesVersion.replace(/^v?/, 'v');
    const which = suggestion === undefined ? `it has ${known.join(', ')}` : `did you mean \`${suggestion}\`?`;
    const message = `kubeadm ${version} has no such feature gate; ${which}`;
    report('ClusterConfiguration', ['featureGates', gate], message, { at: 'key', suggestion });
  }
};

/** etcd is local or external, and an external one has a complete set of credentials. */
export const etcd: Rule = ({ Cluster, ClusterConfiguration }, report) => {
  const { local, external } = ClusterConfiguration?.etcd ?? {};
  const complete = external?.caFile && external.certFile && external.keyFile;
  if (Cluster?.spec.externalEtcd !== undefined && ClusterConfiguration !== undefined && !complete) {
    const message =
      'needs caFile, certFile and keyFile in etcd.external: where the files go on the control planes';
    report('Cluster', ['spec', 'externalEtcd'], message, { at: 'key' });
  }
  if (external === undefined) return;
  const member = Cluster?.spec.hosts.find((host) => host.role === 'etcd' && host.state !== 'absent');
  if (member !== undefined) {
    const message = `etcd runs on hosts of role etcd (${member.name}): leave external out, it follows from them`;
    report('ClusterConfiguration', ['etcd', 'external'], message, { at: 'key' });
  }
  if (local !== undefined) {
    report('ClusterConfiguration', ['etcd'], 'local and external exclude each other');
    return;
  }
  const { caFile, certFile, keyFile, endpoints } = external;
  const path = ['etcd', 'external'];
  if (Boolean(certFile) !== Boolean(keyFile)) {
    report('ClusterConfiguration', path, 'certFile and keyFile go together');
  } else if (certFile && !caFile) {
    report('ClusterConfiguration', path, 'certFile and keyFile need caFile');
  }
  if (!caFile && !certFile && !keyFile) return;
  for (const [i, endpoint] of endpoints.entries()) {
    if (endpoint.startsWith('https:')) continue;
    report(
      'ClusterConfiguration',
      [...path, 'endpoints', i],
      'must be an https URL where certificates are given',
    );
  }
};

/** A token ends by its age or at a time; groups are for tokens that authenticate. */
export const bootstrapTokens: Rule = ({ InitConfiguration }, report) => {
  for (const [i, token] of (InitConfiguration?.bootstrapTokens ?? []).entries()) {
    const path = ['bootstrapTokens', i];
    if (token.ttl && token.expires) report('InitConfiguration', path, 'ttl and expires exclude each other');
    if (token.groups?.length && token.usages?.length && !token.usages.includes('authentication')) {
      report('InitConfiguration', [...path, 'groups'], 'groups need the usage authentication');
    }
  }
};

/** Certificates outlive neither their CA nor kubeadm's recommendations without a word. */
export const validity: Rule = ({ ClusterConfiguration }, _report, note) => {
  if (ClusterConfiguration === undefined) return;
  const hours = (text: string | undefined, standard: number) => {
    const parsed = parseGoDuration(text || `${standard}h`);
    return 'ms' in parsed ? parsed.ms / 3_600_000 : standard;
  };
  const leaf = hours(ClusterConfiguration.certificateValidityPeriod, 8760);
  const ca = hours(ClusterConfiguration.caCertificateValidityPeriod, 87_600);
  if (leaf > 8760) note('certificateValidityPeriod is longer than the recommended 8760h0m0s');
  if (ca > 87_600) note('caCertificateValidityPeriod is longer than the recommended 87600h0m0s');
  if (leaf > ca) note('certificateValidityPeriod is longer than caCertificateValidityPeriod');
};

/** containerd and the kubelet use one cgroup driver. */
export const cgroupDriver: Rule = ({ Cluster, KubeletConfiguration }, report) => {
  const systemd = Cluster?.spec.runtime?.systemdCgroup;
  const driver = KubeletConfiguration?.cgroupDriver ?? 'systemd';
  if (systemd === undefined || systemd === (driver === 'systemd')) return;
  const message = `contradicts the kubelet's cgroupDriver ${driver}: leave it out, and it follows`;
  report('Cluster', ['spec', 'runtime', 'systemdCgroup'], message);
};

/** What keelson accepts for the sake of kubeadm's files and does not act on. */
export const ignoredFields: Rule = ({ InitConfiguration, JoinConfiguration }, _report, note) => {
  if (InitConfiguration?.dryRun !== undefined)
    note('InitConfiguration: dryRun is ignored; use `keelson plan`');
  if (JoinConfiguration?.dryRun !== undefined)
    note('JoinConfiguration: dryRun is ignored; use `keelson plan`');
  if (JoinConfiguration?.skipPhases?.length) note('JoinConfiguration: skipPhases is ignored');
  if (JoinConfiguration?.discovery !== undefined) {
    note('JoinConfiguration: discovery is ignored; each host that joins gets a token of its own');
  }
};

/** The mode is one of Linux, and its settings are for it. */
export const kubeProxyMode: Rule = ({ ClusterConfiguration, KubeProxyConfiguration }, report, note) => {
  const mode = KubeProxyConfiguration?.mode;
  if (mode === 'kernelspace') {
    report('KubeProxyConfiguration', ['mode'], 'kernelspace is for Windows; nodes of keelson run Linux');
  }
  if (mode !== undefined && mode !== '' && ClusterConfiguration?.proxy?.disabled === true)
    note('proxy.disabled is set, so that KubeProxyConfiguration means nothing');
};
