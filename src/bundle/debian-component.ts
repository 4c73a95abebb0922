import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type Component, hashFile } from './cache.js';
import { type DebianTree, fileInTree, neededLibraries, unpackDebianPackages } from './debian-packages.js';
import { type LayerEntry, writeLayer } from './layer.js';
import { run } from './run.js';

const PACKAGES = [
  'busybox-static',
  'ca-certificates',
  'conntrack',
  'ipset',
  'iproute2',
  'iptables',
  'kmod',
  'netbase',
  'nftables',
];

/** Programs that kube-proxy and flannel call. */
const PROGRAMS = [
  'usr/bin/ip',
  'usr/bin/kmod',
  'usr/sbin/conntrack',
  'usr/sbin/ipset',
  'usr/sbin/nft',
  'usr/sbin/xtables-nft-multi',
];

const IPTABLES_NAMES = ['iptables', 'ip6tables'].flatMap((name) =>
  ['', '-nft'].flatMap((variant) => ['', '-save', '-restore'].map((verb) => `${name}${variant}${verb}`)),
);

const LINKS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(IPTABLES_NAMES.map((name) => [`usr/sbin/${name}`, 'xtables-nft-multi'])),
  ...Object.fromEntries(['lsmod', 'modprobe'].map((name) => [`usr/sbin/${name}`, '../bin/kmod'])),
  'usr/sbin/ip': '../bin/ip',
};

const APPLETS =
  '[ arp arping ash awk base64 basename cat chmod chown cksum cmp cp cut date dd df diff dirname dmesg du echo egrep env ' +
  'expr false fgrep find free grep gunzip gzip head hexdump hostname httpd id ifconfig ip kill killall less ln ls md5sum ' +
  'mkdir mkfifo mktemp more mount mv nc netstat nproc nslookup od pidof ping ping6 printf ps pwd readlink realpath rm ' +
  'rmdir route sed seq sh sha256sum sleep sort stat stty sync sysctl tail tar tee telnet test time timeout top touch tr ' +
  'traceroute traceroute6 true tty umount uname uniq unlink uptime vi watch wc wget which whoami xargs yes zcat';

/** Raise when the choice of files above changes: the cache is keyed by it. */
const RECIPE_VERSION = '1';

/** Outputs: base.tar, net.tar, busybox.tar (layers), packages.json (what went in). */
export async function debianComponent(): Promise<Component> {
  const release = await debianRelease();
  return {
    name: 'debian',
    version: release,
    module: '',
    sum: '',
    estimateSeconds: 10,
    inputs: [RECIPE_VERSION, PACKAGES.join(' '), PROGRAMS.join(' '), JSON.stringify(LINKS), APPLETS],
    async build(into, progress, signal) {
      const work = await mkdtemp(join(into, '.work-'));
      try {
        progress('downloading packages');
        const { packages, tree } = await unpackDebianPackages(PACKAGES, work, signal);
        progress('writing layers');
        await writeFile(join(into, 'packages.json'), `${JSON.stringify(packages, null, 2)}\n`);
        await writeLayer(await baseEntries(tree), join(into, 'base.tar'));
        await writeLayer(await netEntries(tree, signal), join(into, 'net.tar'));
        await writeLayer(await busyboxEntries(tree, signal), join(into, 'busybox.tar'));
      } finally {
        await rm(work, { recursive: true, force: true });
      }
    },
  };
}

async function debianRelease(): Promise<string> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return /^VERSION_CODENAME=(.+)$/m.exec(text)?.[1] ?? 'unknown';
}

/** A merged root, users, and the certificate authorities that Go's TLS looks for. */
async function baseEntries(tree: DebianTree): Promise<LayerEntry[]> {
  const authorities = [...tree.keys()]
    .filter((path) => /^usr\/share\/ca-certificates\/mozilla\/.+\.crt$/.test(path))
    .sort();
  const pem = await Promise.all(authorities.map((path) => readFile(fileInTree(tree, path), 'utf8')));
  const text = (path: string, content: string): LayerEntry => ({
    type: 'file',
    path,
    mode: 0o644,
    content: Buffer.from(content),
  });
  return [
    ...['bin', 'sbin', 'lib', 'lib64'].map(
      (path): LayerEntry => ({ type: 'symlink', path, target: `usr/${path}` }),
    ),
    ...['bin', 'sbin', 'lib', 'lib64'].map(
      (path): LayerEntry => ({ type: 'directory', path: `usr/${path}`, mode: 0o755 }),
    ),
    ...['dev', 'proc', 'run', 'sys', 'var'].map(
      (path): LayerEntry => ({ type: 'directory', path, mode: 0o755 }),
    ),
    { type: 'directory', path: 'root', mode: 0o700 },
    { type: 'directory', path: 'tmp', mode: 0o1777 },
    text(
      'etc/passwd',
      'root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n',
    ),
    text('etc/group', 'root:x:0:\nnobody:x:65534:\nnonroot:x:65532:\n'),
    text('etc/nsswitch.conf', 'hosts: files dns\n'),
    text('etc/ssl/certs/ca-certificates.crt', pem.map((one) => `${one.trimEnd()}\n`).join('')),
  ];
}

async function netEntries(tree: DebianTree, signal: AbortSignal | undefined): Promise<LayerEntry[]> {
  const extensions = [...tree.keys()].filter((path) => /\/xtables\/lib[a-z0-9]+_.*\.so$/.test(path));
  const libraries = await neededLibraries(tree, [...PROGRAMS, ...extensions], signal);
  const data = ['etc/protocols', 'etc/services', 'etc/ethertypes'];
  return [
    ...(await Promise.all(data.map((path) => copied(tree, path, 0o644)))),
    ...(await Promise.all([...PROGRAMS, ...libraries].map((path) => copied(tree, path, 0o755)))),
    ...(await Promise.all(extensions.map((path) => linkedOrCopied(tree, path)))),
    ...Object.entries(LINKS).map(([path, target]): LayerEntry => ({ type: 'symlink', path, target })),
  ];
}

/** Applets that this busybox has, of those asked for. */
async function busyboxEntries(tree: DebianTree, signal: AbortSignal | undefined): Promise<LayerEntry[]> {
  const path = 'usr/bin/busybox';
  const available = new Set((await run(fileInTree(tree, path), ['--list'], { signal })).split('\n'));
  const applets = APPLETS.split(' ').filter((name) => available.has(name));
  return [
    await copied(tree, path, 0o755),
    // ip stays iproute2's where an image has both.
    ...applets
      .filter((name) => name !== 'ip')
      .map((name): LayerEntry => ({ type: 'symlink', path: `usr/bin/${name}`, target: 'busybox' })),
  ];
}

async function copied(tree: DebianTree, path: string, mode: number): Promise<LayerEntry> {
  const file = fileInTree(tree, path);
  const { sha256 } = await hashFile(file);
  return { type: 'file', path, mode, content: { file, sha256, size: (await stat(file)).size } };
}

async function linkedOrCopied(tree: DebianTree, path: string): Promise<LayerEntry> {
  const link = tree.get(path)?.link;
  return link == null || basename(link) !== link
    ? copied(tree, path, 0o644)
    : { type: 'symlink', path, target: link };
}
