import { posix } from 'node:path';
import type { ActionChange, Change, FileChange } from '../../engine/types.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { quote } from '../../host/quote.js';
import { defineHostPhase, type PhaseContext } from '../context.js';
import { FILES_GONE, NETWORK_GONE, RUNTIME_STOPPED, TIMER_STOPPED } from './artefacts.js';
import { leftover } from './leftover.js';
import { ownedFiles, ownedRequest } from './owned.js';

/** Directories that belong to Kubernetes alone, whoever made them; kubeadm's are the same. */
const KUBERNETES_DIRECTORIES = [
  '/etc/kubernetes',
  '/var/lib/kubelet',
  '/var/lib/cni',
  '/var/lib/calico',
  '/var/log/calico',
  '/var/log/containers',
  '/var/log/pods',
  '/var/run/kubernetes',
  '/usr/libexec/kubernetes',
  '/run/flannel',
  '/run/calico',
];

/** kubeadm's default, which is etcd's alone. */
const DEFAULT_DATA_DIR = '/var/lib/etcd';

/** Those of a containerd that keelson installed. */
const CONTAINERD_DIRECTORIES = ['/var/lib/containerd', '/run/containerd', '/run/nri', '/opt/containerd'];

/** What network plugins write beside others' files. */
const NETWORK_FILES = [
  '/etc/cni/net.d/10-flannel.conflist',
  '/etc/cni/net.d/10-calico.conflist',
  '/etc/cni/net.d/calico-kubeconfig',
  '/etc/cni/net.d/calico.conflist.template',
];

/** Parents that are removed once they are empty, deepest first; `/usr/lib/modules` is made for kube-proxy's mount. */
const EMPTY_PARENTS = [
  '/etc/cni/net.d',
  '/etc/cni',
  '/opt/cni/bin',
  '/opt/cni',
  '/etc/containerd',
  '/usr/lib/systemd/system/kubelet.service.d',
  '/usr/lib/modules',
  '/usr/libexec/keepalived',
  '/usr/libexec/keelson',
  '/run/netns',
];

function directoriesOf(context: PhaseContext, host: string, containerd: boolean): string[] {
  return [
    ...KUBERNETES_DIRECTORIES,
    ...(context.hostNamed(host).role === 'worker' ? [] : etcdDirectories(context)),
    ...(containerd ? CONTAINERD_DIRECTORIES : []),
  ];
}

/** A data directory of the user's own choice may hold more than etcd's, so only what is etcd's goes. */
function etcdDirectories({ config }: PhaseContext): string[] {
  const { local, members } = config.cluster.etcd;
  const { dataDir = DEFAULT_DATA_DIR } = local ?? members ?? {};
  if (dataDir === DEFAULT_DATA_DIR) return [DEFAULT_DATA_DIR];
  return ['member', 'member.replaced'].map((name) => posix.join(dataDir, name));
}

/** Single files: of the network, and certificates in a directory of the user's own choice, which may hold more. */
function filesOf({ trust }: PhaseContext, host: string): string[] {
  const certificates = trust.request(host).files ?? [];
  return [
    ...NETWORK_FILES,
    ...certificates.filter(
      (path) => !KUBERNETES_DIRECTORIES.some((directory) => path.startsWith(`${directory}/`)),
    ),
  ];
}

/** Lines `dir PATH` for directories with something to remove, `file PATH`, `staging PATH`. */
const leftoversProbe = (directories: readonly string[], files: readonly string[]) => `LC_ALL=C
for path in ${quote(directories)}; do
  [ -d "$path" ] || continue
  mountpoint -q "$path" && [ -z "$(ls -A "$path")" ] && continue
  echo "dir $path"
done
for path in ${quote(files)}; do [ -e "$path" ] && echo "file $path"; done
for path in /etc /etc/* /usr/bin /usr/local/bin /usr/local/sbin /opt/cni/bin /usr/lib/systemd/system; do
  for staging in "$path"/.keelson-*; do [ -d "$staging" ] && echo "staging $staging"; done
done
true`;

/** A mount point keeps itself and loses its content; nothing is removed across a mount. */
const ERASE = `status=0
for path in "$@"; do
  if mountpoint -q "$path"; then find "$path" -xdev -mindepth 1 -delete || status=1
  else rm -rf --one-file-system --preserve-root -- "$path" || status=1; fi
done
exit $status
`;

const PRUNE = `for path in ${EMPTY_PARENTS.join(' ')}; do rmdir "$path" 2>/dev/null; done
systemctl daemon-reload 2>/dev/null
systemctl reset-failed kubelet.service containerd.service 2>/dev/null
exit 0
`;

export const removeFiles = defineHostPhase({
  name: 'reset/files',
  summary: 'configuration, state, certificates, binaries and units removed',
  target: 'all',
  needs: [RUNTIME_STOPPED, NETWORK_GONE, TIMER_STOPPED],
  provides: [FILES_GONE],
  observe: (context, host) => {
    const owned = ownedRequest(context, host);
    return {
      ...owned,
      probes: {
        ...owned.probes,
        leftovers: leftoversProbe(directoriesOf(context, host, true), filesOf(context, host)),
      },
    };
  },
  plan: (context, host, seen) => {
    const owned = ownedFiles(context, host, seen);
    const lines = (seen.probes.get('leftovers')?.stdout ?? '').split('\n');
    const of = (kind: string) =>
      lines.filter((line) => line.startsWith(`${kind} `)).map((line) => line.slice(kind.length + 1));
    const wanted = directoriesOf(context, host, owned.containerd);
    const directories = of('dir').filter((path) => wanted.includes(path));
    const within = (path: string) => directories.some((directory) => path.startsWith(`${directory}/`));
    const changes: Change[] = [
      ...directories.map(
        (path): ActionChange => ({
          kind: 'action',
          name: 'erase',
          summary: `remove everything in ${path}`,
          params: { path },
          destroys: true,
        }),
      ),
      ...of('staging').map(
        (path): ActionChange => ({
          kind: 'action',
          name: 'erase',
          summary: `remove the unfinished upload ${path}`,
          params: { path },
        }),
      ),
      ...owned.files
        .filter(({ path }) => !within(path))
        .map(({ path, mode }) => removal(path, mode, owned.overwritten.includes(path))),
      ...of('file').map((path) => removal(path, 0o644, false)),
    ];
    if (changes.length === 0) return leftover([]);
    const prune: ActionChange = {
      kind: 'action',
      name: 'prune',
      summary: 'remove directories that are empty, and make systemd forget the units',
    };
    return leftover([...changes, prune]);
  },
  actions: {
    erase: async (_context, host, change) => {
      const path = posix.normalize(change.params?.path ?? '');
      if (path.split('/').length < 3) throw new KeelsonError('BUG', `refusing to erase ${path}`);
      await host.script({ name: 'reset/erase', text: ERASE, args: [path] }, { timeoutMs: 600_000 });
    },
    prune: async (_context, host) => {
      await host.script({ name: 'reset/prune', text: PRUNE });
    },
  },
});

function removal(path: string, mode: number, overwritten: boolean): FileChange {
  return {
    kind: 'file',
    op: 'remove',
    path,
    mode,
    reason: overwritten
      ? `${path} is keelson's; what was there before keelson is not known and does not come back`
      : `${path} is keelson's`,
    destroys: overwritten,
  };
}
