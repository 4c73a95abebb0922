import { chmod, copyFile, mkdir, rename, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { type Bundle, blobPath, fileByName } from '../../bundle/bundle.js';
import { nodeHosts } from '../../config/inventory.js';
import { assertLabName } from '../../lab/names.js';
import type { LabDriverName } from '../../lab/types.js';
import { localServerUrl } from '../../pki/endpoint.js';
import { withServer } from '../../pki/kubeconfig.js';
import { duration } from '../../report/table.js';
import { applyCluster } from '../../workflows/apply.js';
import { adminKubeconfig } from '../../workflows/kubeconfig.js';
import type { Session } from '../../workflows/session.js';
import { DEFAULT_KUBERNETES_VERSION } from '../cache.js';
import { ownerOf, withSession } from '../cluster-options.js';
import type { CliIO, GlobalOptions } from '../command.js';
import { defineCommand } from '../command.js';
import { labDriver, labRef } from '../lab-driver.js';
import { MACHINE_OPTIONS, machinesOf, requireFile } from '../lab-machines.js';
import { installLabTools, labBundle } from '../lab-needs.js';
import { LAB_OPTIONS, labCacheDir, labProgress } from '../lab-options.js';
import { outputDirectory } from '../output-path.js';

export const command = defineCommand({
  name: 'lab up',
  summary: 'machines on this computer, and a cluster on them',
  details:
    'systemd-nspawn needs root on Linux; --driver vagrant needs Vagrant with VirtualBox or libvirt. Without --bundle: one at hand, else the official releases where they answer, else one built here (about a quarter of an hour). Missing Debian packages are installed.',
  options: {
    ...LAB_OPTIONS,
    ...MACHINE_OPTIONS,
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
    const { directory } = lab;
    const request = {
      name: options.name,
      directory,
      cacheDir: labCacheDir(io),
      ...machinesOf(options, driver.name, io.cwd),
    };
    // All that can be refused is, before programs are installed and a bundle is compiled for a quarter of an hour.
    await driver.check(request);
    await outputDirectory(directory, io);
    await requireFile(options.calicoManifest, io);
    const provide = await labBundle(options, io, global);
    if (driver.name === 'nspawn') await installLabTools(io);
    const { bundle, path: bundlePath } = await provide();
    const status = await driver.up(
      {
        ...request,
        kubernetesVersion: bundle.lock.kubernetesVersion,
        bundle: bundlePath,
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

async function bringUp(file: string, kubeconfig: string, io: CliIO, global: GlobalOptions): Promise<void> {
  const values = { config: file, acceptNewHostKeys: false, askSudoPassword: false };
  await withSession({ options: values, io, global }, async ({ session }) => {
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
