import type { ClusterConfig } from '../config/types.js';
import { pauseImage } from './image-names.js';

export const CONTAINERD_CONFIG = '/etc/containerd/config.toml';
/** Name of containerd's unit. */
export const CONTAINERD_UNIT = 'containerd.service';
export const CONTAINERD_UNIT_PATH = '/usr/lib/systemd/system/containerd.service';
export const CRICTL_CONFIG = '/etc/crictl.yaml';

/** Directory with one folder a registry, each with a hosts.toml. */
export const REGISTRY_CONFIG_DIRECTORY = '/etc/containerd/certs.d';

/**
 * /etc/containerd/config.toml for containerd 2.x (configuration version 3). The sandbox image is pinned to
 * the pause image of the Kubernetes version, which the bundle carries: with another, every pod start waits
 * for a pull. Everything that is not here keeps containerd's default.
 */
export function containerdConfig(config: ClusterConfig): string {
  const { systemdCgroup, restrictOomScoreAdj } = config.spec.runtime;
  return `version = 3

[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = ${tomlString(pauseImage(config.cluster))}

[plugins.'io.containerd.cri.v1.images'.registry]
  config_path = ${tomlString(REGISTRY_CONFIG_DIRECTORY)}

[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = ${restrictOomScoreAdj}

[plugins.'io.containerd.cri.v1.runtime'.containerd]
  default_runtime_name = 'runc'

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = 'io.containerd.runc.v2'

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  SystemdCgroup = ${systemdCgroup}

[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ['/opt/cni/bin']
  conf_dir = '/etc/cni/net.d'
`;
}

/** A TOML basic string. JSON's escapes are among TOML's. */
function tomlString(text: string): string {
  return JSON.stringify(text);
}

/** containerd's unit for binaries in /usr/local/bin, as its project publishes it. */
export const CONTAINERD_UNIT_FILE = `[Unit]
Description=containerd container runtime
Documentation=https://containerd.io
After=network.target dbus.service

[Service]
ExecStartPre=-/sbin/modprobe overlay
ExecStart=/usr/local/bin/containerd
Type=notify
Delegate=yes
KillMode=process
Restart=always
RestartSec=5
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
OOMScoreAdjust=-999

[Install]
WantedBy=multi-user.target
`;

/** /etc/crictl.yaml, so that crictl asks the runtime that the kubelet uses. */
export function crictlConfig(criSocket: string): string {
  return `runtime-endpoint: ${criSocket}\nimage-endpoint: ${criSocket}\ntimeout: 10\n`;
}
