import type { Command } from './command.js';

export interface CommandEntry {
  name: string;
  summary: string;
  load: () => Promise<Command>;
}

const entry = (name: string, summary: string, load: () => Promise<{ command: Command }>): CommandEntry => ({
  name,
  summary,
  load: async () => (await load()).command,
});

/** Every command, in the order of the help page. Modules are loaded only when their command runs. */
export const COMMANDS: readonly CommandEntry[] = [
  entry('plan', 'what apply would change, host by host and file by file', () => import('./commands/plan.js')),
  entry('apply', 'make the cluster what the file says', () => import('./commands/apply.js')),
  entry('verify', 'prove that the cluster works, with real pods', () => import('./commands/verify.js')),
  entry(
    'status',
    'hosts, versions, certificates and health at a glance',
    () => import('./commands/status.js'),
  ),
  entry(
    'upgrade plan',
    'what an upgrade would take and change, and what stands in its way',
    () => import('./commands/upgrade-plan.js'),
  ),
  entry('upgrade apply', 'take the cluster to another version', () => import('./commands/upgrade-apply.js')),
  entry('upgrade rollback', 'take the last upgrade back', () => import('./commands/upgrade-rollback.js')),
  entry(
    'upgrade pause',
    'let a run begin nothing further, wherever it was started',
    () => import('./commands/upgrade-pause.js'),
  ),
  entry('upgrade resume', 'end the pause', () => import('./commands/upgrade-resume.js')),
  entry('init', 'the first control plane only', () => import('./commands/init.js')),
  entry('join', 'the named hosts into a running cluster', () => import('./commands/join.js')),
  entry('reset', 'take hosts back to what they were', () => import('./commands/reset.js')),
  entry('render', 'every file that a host would get, without any host', () => import('./commands/render.js')),
  entry(
    'network status',
    'the pod network as the kernels of all nodes have it',
    () => import('./commands/network-status.js'),
  ),
  entry(
    'phase list',
    'all phases in order, with needs and provisions',
    () => import('./commands/phase-list.js'),
  ),
  entry('phase run', 'one phase alone', () => import('./commands/phase-run.js')),
  entry('node drain', 'move pods away from nodes', () => import('./commands/node-drain.js')),
  entry('node cordon', 'no new pods on nodes', () => import('./commands/node-cordon.js')),
  entry('node uncordon', 'nodes take pods again', () => import('./commands/node-uncordon.js')),
  entry(
    'node remove',
    'take a host out of the cluster and reset it',
    () => import('./commands/node-remove.js'),
  ),
  entry('node replace', 'put one host in the place of another', () => import('./commands/node-replace.js')),
  entry(
    'etcd status',
    'etcd’s members, leader, sizes, alarms and latency',
    () => import('./commands/etcd-status.js'),
  ),
  entry(
    'etcd snapshot',
    'a verified copy of etcd, on this machine or in a bucket',
    () => import('./commands/etcd-snapshot.js'),
  ),
  entry(
    'etcd restore',
    'etcd of the whole cluster from a snapshot',
    () => import('./commands/etcd-restore.js'),
  ),
  entry(
    'etcd recover',
    'etcd that lost its quorum, from the freshest member that is left',
    () => import('./commands/etcd-recover.js'),
  ),
  entry(
    'etcd defrag',
    'free pages of etcd’s databases back to the disks, alarms taken back',
    () => import('./commands/etcd-defrag.js'),
  ),
  entry(
    'certs check',
    'every certificate of the cluster, and what is wrong with it',
    () => import('./commands/certs-check.js'),
  ),
  entry(
    'certs renew',
    'new certificates in place of those that end',
    () => import('./commands/certs-renew.js'),
  ),
  entry(
    'certs rotate',
    'replace CAs in a running cluster, step by step',
    () => import('./commands/certs-rotate.js'),
  ),
  entry(
    'certs take-keys',
    'take the keys of CAs off the hosts, into an encrypted file',
    () => import('./commands/certs-take-keys.js'),
  ),
  entry(
    'certs return-keys',
    'bring the keys of CAs back onto the hosts',
    () => import('./commands/certs-return-keys.js'),
  ),
  entry(
    'certs request-authority',
    'a new key and a request, to have a CA signed by your organisation’s root',
    () => import('./commands/certs-request-authority.js'),
  ),
  entry(
    'backup',
    'all that it takes to bring the cluster back, in one encrypted file',
    () => import('./commands/backup.js'),
  ),
  entry(
    'backup verify',
    'check every byte of a backup, and say what it holds',
    () => import('./commands/backup-verify.js'),
  ),
  entry(
    'backup drill',
    'bring a backup back in a machine that is thrown away, and read all of it',
    () => import('./commands/backup-drill.js'),
  ),
  entry('token create', 'a bootstrap token', () => import('./commands/token-create.js')),
  entry('token list', 'bootstrap tokens of the cluster', () => import('./commands/token-list.js')),
  entry('token delete', 'delete bootstrap tokens', () => import('./commands/token-delete.js')),
  entry('kubeconfig', 'the admin kubeconfig, merged into a file', () => import('./commands/kubeconfig.js')),
  entry(
    'kubeconfig create',
    'a kubeconfig for a user, with a short-lived client certificate',
    () => import('./commands/kubeconfig-create.js'),
  ),
  entry('config validate', 'check a cluster file', () => import('./commands/config-validate.js')),
  entry('config print', 'a cluster file with all defaults', () => import('./commands/config-print.js')),
  entry('config schema', 'JSON Schema of the cluster file', () => import('./commands/config-schema.js')),
  entry('config migrate', 'older kubeadm documents to v1beta4', () => import('./commands/config-migrate.js')),
  entry(
    'bundle build',
    'compile and assemble everything a cluster needs',
    () => import('./commands/bundle-build.js'),
  ),
  entry(
    'bundle add-image',
    'put images of your own into a bundle',
    () => import('./commands/bundle-add-image.js'),
  ),
  entry(
    'bundle pull',
    'a bundle of the official releases, or from an OCI registry',
    () => import('./commands/bundle-pull.js'),
  ),
  entry(
    'bundle push',
    'a bundle, or its images, into an OCI registry',
    () => import('./commands/bundle-push.js'),
  ),
  entry(
    'bundle serve',
    'this machine as a registry and file server of bundles',
    () => import('./commands/bundle-serve.js'),
  ),
  entry('bundle inspect', 'what a bundle holds', () => import('./commands/bundle-inspect.js')),
  entry(
    'bundle verify',
    'check every byte of a bundle, and that a cluster needs nothing else',
    () => import('./commands/bundle-verify.js'),
  ),
  entry(
    'bundle export',
    'a bundle as one file, to be carried over an air gap',
    () => import('./commands/bundle-export.js'),
  ),
  entry(
    'bundle import',
    'unpack a bundle file, every bit checked, into a directory',
    () => import('./commands/bundle-import.js'),
  ),
  entry(
    'bundle diff',
    'a file with what one bundle has and another lacks',
    () => import('./commands/bundle-diff.js'),
  ),
  entry('bundle keygen', 'a key pair to sign bundles with', () => import('./commands/bundle-keygen.js')),
  entry(
    'bundle sign',
    'sign a bundle directory with a key of yours',
    () => import('./commands/bundle-sign.js'),
  ),
  entry('lab up', 'machines on this computer, and a cluster on them', () => import('./commands/lab-up.js')),
  entry('lab status', 'machines of a lab', () => import('./commands/lab-status.js')),
  entry('lab ssh', 'a shell or a command on a lab machine', () => import('./commands/lab-ssh.js')),
  entry('lab stop', 'cut a lab machine’s power', () => import('./commands/lab-stop.js')),
  entry('lab start', 'power a lab machine on again', () => import('./commands/lab-start.js')),
  entry('lab down', 'remove a lab and everything it made', () => import('./commands/lab-down.js')),
];
