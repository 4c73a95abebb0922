/** A cause that evidence names, and what to do about it. */
export interface Diagnosis {
  cause: string;
  remedy: string;
}

interface Rule {
  pattern: RegExp;
  cause: (match: RegExpExecArray) => string;
  remedy: string;
}

const BRING_IMAGES =
  'run keelson apply again: it brings images that are missing; keelson bundle verify checks the bundle';

/** Causes before symptoms: the first rule that fits the evidence is the one to tell. */
const RULES: readonly Rule[] = [
  {
    pattern: /no space left on device/,
    cause: () => 'a disk is full',
    remedy: 'free space on the file systems listed above, then run apply again',
  },
  {
    pattern: /^containerd: (?!active)(\S+)/m,
    cause: (match) => `containerd is ${match[1]}`,
    remedy: 'on the host: journalctl -u containerd',
  },
  {
    pattern: /^kubelet: (?!active)(\S+)/m,
    cause: (match) => `the kubelet is ${match[1]}`,
    remedy: 'on the host: journalctl -u kubelet; its first error line says why',
  },
  {
    pattern: /running with swap on is not supported/i,
    cause: () => 'the kubelet refuses to run with swap on',
    remedy: 'swapoff -a, or failSwapOn: false in the KubeletConfiguration',
  },
  {
    pattern: /listen tcp \S*:(\d+): bind: address already in use/,
    cause: (match) => `port ${match[1]} is taken by something else`,
    remedy: 'on the host: ss -ltnp shows by what',
  },
  {
    pattern: /too many open files/,
    cause: () => 'the host is out of inotify instances or file descriptors',
    remedy: 'raise fs.inotify.max_user_instances on the host (on its own host too, for containers)',
  },
  {
    pattern: /failed to pull(?: and unpack)? image "?([^\s"]+)/i,
    cause: (match) => `the image ${match[1]} is not on the node and can't be pulled`,
    remedy: BRING_IMAGES,
  },
  {
    pattern: /ErrImagePull|ImagePullBackOff/,
    cause: () => "the image of a container is not on the node and can't be pulled",
    remedy: BRING_IMAGES,
  },
  {
    pattern: /x509: certificate has expired[^"\n]*/,
    cause: (match) => match[0],
    remedy: 'check the clocks of all hosts; renew certificates with keelson certs renew all',
  },
  {
    pattern: /x509: [^"\n]*/,
    cause: (match) => `certificates do not fit: ${match[0]}`,
    remedy: 'keelson plan shows which certificates are not what they should be',
  },
  {
    pattern: /failed to create (?:containerd|shim) task: ([^\n]{10,200})/,
    cause: (match) => `the runtime can't start containers: ${match[1]}`,
    remedy: 'on the host: journalctl -u containerd',
  },
  {
    pattern: /unable to apply cgroup configuration|cgroup[^\n]{0,40}(?:not found|no such file)/i,
    cause: () => 'cgroups are not as kubelet and containerd expect them',
    remedy: 'cgroupDriver of the KubeletConfiguration and spec.runtime.systemdCgroup have to agree',
  },
];

/** The first cause that the evidence names, or null. */
export function diagnose(evidence: string): Diagnosis | null {
  for (const rule of RULES) {
    const match = rule.pattern.exec(evidence);
    if (match !== null) return { cause: rule.cause(match), remedy: rule.remedy };
  }
  return null;
}
