import { chmod, copyFile, mkdir, rename, writeFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { type Bundle, blobPath, fileByName } from '../../bundle/bundle.js';
import { nodeHosts } from '../../config/inventory.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import { parseLabNetwork } from '../../lab/lab-network.js';
import { assertLabName } from '../../lab/names.js';
import { installPackages, isDebian, missingLabTools, requireRoot } from '../../lab/tools.js';
import {
  LAB_DRIVERS,
  LAB_ENDPOINTS,
  LAB_PROXY_MODES,
  type LabDriverName,
  type LabNetwork,
  type LabSpec,
} from '../../lab/types.js';
import { localServerUrl } from '../../pki/endpoint.js';
import { withServer } from '../../pki/kubeconfig.js';
import { duration } from '../../report/table.js';
import { applyCluster } from '../../workflows/apply.js';
import { adminKubeconfig } from '../../workflows/kubeconfig.js';
import type { Session } from '../../workflows/session.js';
import { bundleArgument } from '../bundle-options.js';
import { DEFAULT_KUBERNETES_VERSION } from '../cache.js';
import { chooseBundle } from '../choose-bundle.js';
import { ownerOf, withSession } from '../cluster-options.js';
import type { CliIO, GlobalOptions } from '../command.js';
import { defineCommand } from '../command.js';
import { labDriver, labRef } from '../lab-driver.js';
import { LAB_OPTIONS, labCacheDir, labProgress } from '../lab-options.js';

export const command = defineCommand({
  name: 'lab up',
  summary: 'machines on this computer, and a cluster on them',
  details:
    'systemd-nspawn needs root on Linux; --driver vagrant needs Vagrant with VirtualBox or libvirt. Without --bundle: one at hand, else the official releases where they answer, else one built here (about a quarter of an hour). Missing Debian packages are installed.',
  options: {
    ...LAB_OPTIONS,
    controlPlanes: {
      flags: '--control-planes <n>',
      description: 'number of control planes (default 1)',
      kind: 'number',
    },
    driver: {
      flags: '--driver <driver>',
      description: 'what makes the machines (default nspawn, or what the lab was made with)',
      kind: 'string',
      choices: LAB_DRIVERS,
    },
    profile: {
      flags: '--profile <profile>',
      description: 'vagrant: single, small (1+2, default) or ha (3+2)',
      kind: 'string',
    },
    provider: {
      flags: '--provider <provider>',
      description: 'vagrant: virtualbox or libvirt (default: Vagrant’s choice)',
      kind: 'string',
    },
    box: {
      flags: '--box <box>',
      description: 'vagrant: debian12 (default), debian13, ubuntu24.04, rocky9, or the name of any box',
      kind: 'string',
    },
    workers: { flags: '--workers <n>', description: 'number of workers (default 2)', kind: 'number' },
    endpoint: {
      flags: '--endpoint <provider>',
      description: 'how the API is reached (default external with several control planes)',
      kind: 'string',
      choices: LAB_ENDPOINTS,
    },
    network: {
      flags: '--network <network>',
      description:
        'pod network: flannel:vxlan (default), flannel:vxlan+direct, flannel:host-gw, flannel:wireguard, calico:bgp|ipip|vxlan|mixed, none',
      kind: 'string',
    },
    calicoManifest: {
      flags: '--calico-manifest <file>',
      description: "Calico's published manifest, for --network calico:…",
      kind: 'string',
    },
    proxyMode: {
      flags: '--proxy-mode <mode>',
      description: 'mode of kube-proxy (default iptables)',
      kind: 'string',
      choices: LAB_PROXY_MODES,
    },
    etcd: {
      flags: '--etcd <n>',
      description: 'machines for an etcd outside of the control planes (default none)',
      kind: 'number',
    },
    dualStack: {
      flags: '--dual-stack',
      description: 'machines with IPv6 addresses beside, and a cluster of both families',
      kind: 'boolean',
    },
    kubernetesVersion: {
      flags: '--kubernetes-version <version>',
      description: `exact version (default ${DEFAULT_KUBERNETES_VERSION}, or the bundle’s)`,
      kind: 'string',
    },
    bundle: {
      flags: '--bundle <path>',
      description: 'directory or file of a bundle (default: at hand, official releases, or built)',
      kind: 'string',
    },
    noCluster: { flags: '--no-cluster', description: 'machines only', kind: 'boolean' },
  },
  run: async ({ options, io, global }) => {
    assertLabName(options.name);
    const started = Date.now();
    const lab = labRef(io, options.name);
    const driver = await labDriver(io, lab, options.driver as LabDriverName | undefined);
    const machines = machinesOf(options, driver.name, io.cwd);
    if (driver.name === 'nspawn') {
      requireRoot();
      await installLabTools(io);
    }
    const { directory } = lab;
    const bundle = await bundleOf(options, io, global);
    const status = await driver.up(
      {
        name: options.name,
        directory,
        cacheDir: labCacheDir(io),
        kubernetesVersion: bundle.lock.kubernetesVersion,
        bundle: options.bundle === undefined ? bundle.dir : resolve(io.cwd, options.bundle),
        ...machines,
      },
      { onEvent: labProgress(io, global), signal: io.stop },
    );
    const kubectl = await installKubectl(bundle, io);
    const file = join(directory, 'cluster.yaml');
    if (options.noCluster)
      return {
        data: status,
        text: `${status.nodes.length} machines; the cluster file is ${relative(io.cwd, file)}\n`,
      };
    const kubeconfig = join(directory, 'kubeconfig');
    await bringUp(file, kubeconfig, io, global);
    const text = [
      `Cluster ${options.name} is up after ${duration(Date.now() - started)}. Next:`,
      `  ${relative(io.cwd, kubectl)} --kubeconfig ${relative(io.cwd, kubeconfig)} get nodes`,
      `  npx keelson verify -c ${relative(io.cwd, file)}`,
      `  npx keelson lab down${options.name === 'lab' ? '' : ` --name ${options.name}`}`,
      '',
    ].join('\n');
    return { data: { ...status, kubeconfig, kubectl, clusterFile: file }, text };
  },
});

/** Lab machines run on this computer. */
const localArchitecture = () => (process.arch === 'arm64' ? 'arm64' : 'amd64');

/** The bundle that was named, or one that is chosen. @throws USAGE for a bundle of another version than asked for */
async function bundleOf(
  {
    bundle: path,
    kubernetesVersion: asked,
  }: { bundle: string | undefined; kubernetesVersion: string | undefined },
  io: CliIO,
  global: GlobalOptions,
): Promise<Bundle> {
  const version = asked === undefined || asked.startsWith('v') ? asked : `v${asked}`;
  if (path === undefined) {
    const kubernetesVersion = version ?? DEFAULT_KUBERNETES_VERSION;
    return chooseBundle({ kubernetesVersion, architecture: localArchitecture() }, io, global);
  }
  const bundle = await bundleArgument(path, io);
  const { lock } = bundle;
  if (version === undefined || version === lock.kubernetesVersion) return bundle;
  throw new KeelsonError('USAGE', `${path} is of Kubernetes ${lock.kubernetesVersion}, not ${version}`, {
    hint: 'leave --kubernetes-version out, or name another bundle',
  });
}

function networkOf({ network, calicoManifest }: MachineOptions, cwd: string): LabNetwork | undefined {
  if (network === undefined) return undefined;
  return parseLabNetwork(network, calicoManifest === undefined ? undefined : resolve(cwd, calicoManifest));
}

interface MachineOptions {
  controlPlanes: number | undefined;
  workers: number | undefined;
  endpoint: string | undefined;
  network: string | undefined;
  calicoManifest: string | undefined;
  proxyMode: string | undefined;
  etcd: number | undefined;
  dualStack: boolean;
  profile: string | undefined;
  provider: string | undefined;
  box: string | undefined;
}

/**
 * What was asked of the machines, without what was left open.
 * @throws USAGE for an option that is another driver's
 */
function machinesOf(options: MachineOptions, driver: LabDriverName, cwd: string): Partial<LabSpec> {
  const { controlPlanes, workers, etcd, dualStack, profile, provider, box } = options;
  const vagrant = { profile, provider, box };
  const endpoint = LAB_ENDPOINTS.find((known) => known === options.endpoint);
  const proxyMode = LAB_PROXY_MODES.find((known) => known === options.proxyMode);
  const network = networkOf(options, cwd);
  const counts = {
    ...{ controlPlanes, workers, etcd, endpoint, network, proxyMode },
    ...(dualStack ? { dualStack } : {}),
  };
  const others = driver === 'vagrant' ? counts : vagrant;
  if (Object.values(others).some((value) => value !== undefined)) {
    throw driver === 'vagrant'
      ? new KeelsonError('USAGE', 'a profile says what a Vagrant lab has: machines, endpoint and network', {
          hint: 'use --profile single, small or ha in place of --control-planes, --workers, --etcd, --dual-stack, --endpoint, --network and --proxy-mode',
        })
      : new KeelsonError('USAGE', '--profile, --provider and --box are for Vagrant', {
          hint: 'add --driver vagrant, or use --control-planes, --workers and --endpoint',
        });
  }
  const given = Object.entries({ ...counts, ...vagrant }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given);
}

async function bringUp(file: string, kubeconfig: string, io: CliIO, global: GlobalOptions): Promise<void> {
  const values = { config: file, acceptNewHostKeys: false, askSudoPassword: false };
  await withSession(values, io, global, async ({ session }) => {
    await applyCluster(session, { stop: io.stop, owner: ownerOf(), run: 'apply' });
    await writeFile(kubeconfig, await reachableKubeconfig(session), { mode: 0o600 });
    await chmod(kubeconfig, 0o600);
  });
}

/**
 * The lab's bridge leads to machines and virtual addresses; the name of an external endpoint is known to the
 * machines only, and a node-local one is reached at the machine that is the last node listed.
 */
async function reachableKubeconfig(session: Session): Promise<string> {
  const { config, first } = session.context;
  const { endpoint } = config.spec;
  const text = await adminKubeconfig(session);
  if (endpoint?.provider === 'keepalived-haproxy') return text;
  const last = nodeHosts(config).at(-1);
  if (endpoint?.provider !== 'node-local' || !endpoint.expose || last === undefined)
    return withServer(text, 'admin.conf', localServerUrl(first));
  // Its address is in no certificate, the name of the API's Service is in each.
  return withServer(text, 'admin.conf', `https://${last.nodeIP}:${endpoint.port}`, 'kubernetes');
}

/** The bundle's own kubectl in `.keelson/bin`, so that nothing has to be installed here. */
async function installKubectl(bundle: Bundle, io: CliIO): Promise<string> {
  const directory = join(io.cwd, '.keelson', 'bin');
  await mkdir(directory, { recursive: true });
  const target = join(directory, 'kubectl');
  await copyFile(blobPath(bundle, fileByName(bundle, 'kubectl').sha256), `${target}.new`);
  await chmod(`${target}.new`, 0o755);
  await rename(`${target}.new`, target);
  return target;
}

async function installLabTools(io: CliIO): Promise<void> {
  const missing = await missingLabTools();
  if (missing.length === 0 || !(await isDebian())) return;
  io.stderr.write(`lab: installing ${missing.join(', ')}\n`);
  await installPackages(missing, io.stop);
}
