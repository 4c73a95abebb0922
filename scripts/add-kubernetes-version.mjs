#!/usr/bin/env zx
// Makes the module set of a Kubernetes version and its row in the release table.
//
//   npx zx scripts/add-kubernetes-version.mjs v1.36.4
//
// Needs go and the Go module proxy. It writes modules/kubernetes/<version>/, asks that version's own kubeadm
// which etcd, CoreDNS and pause it wants, writes their module sets where they are new, and adds the row to
// src/bundle/releases.ts. Other components (containerd, runc, flannel, CNI) stay those of the newest release.
import { $, argv, chalk, echo, fs, path } from 'zx';

const version = argv._[0] ?? '';
if (!/^v1\.\d+\.\d+$/.test(version)) {
  echo(chalk.red('usage: npx zx scripts/add-kubernetes-version.mjs v1.N.P'));
  process.exit(2);
}

const root = path.resolve(import.meta.dirname, '..');
const modules = path.join(root, 'modules');
const table = path.join(root, 'src/bundle/releases.ts');
process.env.GOWORK = 'off';
process.env.GOFLAGS = '';

const COMMANDS = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-proxy',
  'kube-scheduler',
  'kubeadm',
  'kubectl',
  'kubelet',
];

/** Writes go.mod, lets go complete it and go.sum; a set that exists stays as it is. */
async function moduleSet(name, moduleVersion, text) {
  const folder = path.join(modules, name, moduleVersion);
  if (await fs.pathExists(path.join(folder, 'go.sum'))) {
    echo(`modules/${name}/${moduleVersion} is there already`);
    return folder;
  }
  await fs.outputFile(path.join(folder, 'go.mod'), text);
  // -e: tests of dependencies may need modules that can't be had; nothing that is compiled does.
  await $({ cwd: folder, quiet: true })`go mod tidy -e`;
  echo(`modules/${name}/${moduleVersion} written`);
  return folder;
}

/** Staging modules are replaced by ./staging in Kubernetes' own go.mod; published, v1.N.P is v0.N.P. */
function kubernetesModule(upstream) {
  const staged = [...upstream.matchAll(/^\s*(?:replace )?(k8s\.io\/\S+) => \.\/staging/gm)].map(
    (match) => match[1],
  );
  const goVersion = /^go (\S+)$/m.exec(upstream)?.[1];
  const godebug = /^godebug .*$/m.exec(upstream)?.[0] ?? '';
  const tools = [...COMMANDS.map((name) => `cmd/${name}`), 'test/images/agnhost'];
  return [
    'module keelson.dev/modules/kubernetes',
    `go ${goVersion}`,
    godebug,
    `require k8s.io/kubernetes ${version}`,
    `tool (\n${tools.map((tool) => `\tk8s.io/kubernetes/${tool}`).join('\n')}\n)`,
    `replace (\n${staged.map((name) => `\t${name} => ${name} ${version.replace('v1.', 'v0.')}`).join('\n')}\n)`,
    '',
  ].join('\n\n');
}

const downloaded = JSON.parse(
  (await $({ quiet: true })`go mod download -json k8s.io/kubernetes@${version}`).stdout,
);
const kubernetes = await moduleSet(
  'kubernetes',
  version,
  kubernetesModule(await fs.readFile(downloaded.GoMod, 'utf8')),
);

echo('building kubeadm, to ask it for its images (minutes, the first time)');
const scratch = await fs.mkdtemp(path.join((await import('node:os')).tmpdir(), 'keelson-kubeadm-'));
let listed;
try {
  const kubeadm = path.join(scratch, 'kubeadm');
  await $({
    cwd: kubernetes,
    env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=readonly' },
  })`go build -trimpath -buildvcs=false -o ${kubeadm} k8s.io/kubernetes/cmd/kubeadm`;
  listed = (await $({ quiet: true })`${kubeadm} config images list --kubernetes-version ${version}`).stdout;
} finally {
  await fs.remove(scratch);
}
const tag = (name) => {
  const found = new RegExp(`/${name}:(\\S+)$`, 'm').exec(listed)?.[1];
  if (found === undefined) throw new Error(`kubeadm ${version} names no ${name} image`);
  return found;
};
const agnhost = (await fs.readFile(path.join(downloaded.Dir, 'test/images/agnhost/VERSION'), 'utf8')).trim();
const row = { etcd: tag('etcd'), coredns: tag('coredns'), pause: tag('pause'), agnhost };

const etcd = `v${row.etcd.replace(/-\d+$/, '')}`;
const etcdModules = ['etcdctl', 'etcdutl', 'server'].map((name) => `go.etcd.io/etcd/${name}/v3`);
await moduleSet(
  'etcd',
  etcd,
  `module keelson.dev/modules/etcd\n\ngo 1.24\n\nrequire (\n${etcdModules.map((name) => `\t${name} ${etcd}`).join('\n')}\n)\n\ntool (\n${etcdModules.map((name) => `\t${name}`).join('\n')}\n)\n`,
);
await moduleSet(
  'coredns',
  row.coredns,
  `module keelson.dev/modules/coredns\n\ngo 1.24\n\nrequire github.com/coredns/coredns ${row.coredns}\n\ntool github.com/coredns/coredns\n`,
);

const source = await fs.readFile(table, 'utf8');
if (source.includes(`'${version}':`)) {
  echo(`src/bundle/releases.ts has ${version} already; kubeadm says ${JSON.stringify(row)}`);
} else {
  const fields = Object.entries(row)
    .map(([name, value]) => `${name}: '${value}'`)
    .join(', ');
  await fs.writeFile(
    table,
    source.replace(/(RELEASES:.*= \{\n)/, `$1  '${version}': { ...COMMON, ${fields} },\n`),
  );
  echo(`src/bundle/releases.ts has ${version} now`);
}
echo(`next: keelson bundle build --kubernetes-version ${version}`);
