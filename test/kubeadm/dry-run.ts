import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { clusterInfoConfigMap } from '../../src/join/cluster-info.js';
import { controlPlaneUrl } from '../../src/manifests/addresses.js';
import { CA_DIRECTORIES } from '../../src/manifests/host-ca-directories.js';
import { clusterObjects } from '../../src/manifests/kubeadm-config.js';
import type { PatchFile } from '../../src/manifests/patches.js';
import { renderHost } from '../../src/manifests/render.js';
import { type BuildOptions, buildConfig, kubeadmYaml } from './config-builder.js';
import { runKubeadm, withOracleDirectory } from './oracle.js';

type Json = Record<string, unknown>;

/** What a tool would write, in one shape for both: files by base name, objects by kind and name. */
export interface Outcome {
  files: Record<string, unknown>;
  objects: Record<string, unknown>;
}

export interface Scenario extends Omit<BuildOptions, 'kubernetesVersion' | 'patchesDirectory'> {
  patches?: readonly PatchFile[];
  env?: Readonly<Record<string, string>>;
}

const FILES = ['config.yaml', 'instance-config.yaml', 'kubeadm-flags.env'];
const MANIFESTS = ['etcd.yaml', 'kube-apiserver.yaml', 'kube-controller-manager.yaml', 'kube-scheduler.yaml'];

/** Runs `kubeadm init --dry-run` in a directory of its own, and renders the same; returns both outcomes. */
export async function bothOutcomes(
  version: string,
  scenario: Scenario,
): Promise<{ ours: Outcome; kubeadms: Outcome }> {
  return withOracleDirectory(async (directory) => {
    const output = join(directory, 'out');
    const patchesDirectory = join(directory, 'patches');
    await mkdir(output);
    await mkdir(patchesDirectory);
    for (const { name, content } of scenario.patches ?? [])
      await writeFile(join(patchesDirectory, name), content);
    // The fastest of the algorithms: the keys of a dry run are thrown away.
    const options: BuildOptions = {
      ...scenario,
      kubernetesVersion: version,
      cluster: { encryptionAlgorithm: 'ECDSA-P256', ...scenario.cluster },
      ...(scenario.patches === undefined ? {} : { patchesDirectory }),
    };
    await writeFile(join(directory, 'kubeadm.yaml'), kubeadmYaml(options));
    const { stdout } = await runKubeadm(
      version,
      ['init', '--dry-run', '--config', 'kubeadm.yaml', '--skip-phases=preflight,show-join-command'],
      { cwd: directory, offline: true, env: { KUBEADM_INIT_DRYRUN_DIR: output, ...scenario.env } },
    );
    const caCertificate = await readFile(join(output, 'ca.crt'), 'utf8');
    return {
      kubeadms: { files: await readFiles(output), objects: createdObjects(stdout) },
      ours: render(options, scenario, caCertificate),
    };
  });
}

async function readFiles(directory: string): Promise<Record<string, unknown>> {
  const files: Record<string, unknown> = {};
  for (const name of await readdir(directory)) {
    if (![...FILES, ...MANIFESTS].includes(name)) continue;
    files[name] = readable(name, await readFile(join(directory, name), 'utf8'));
  }
  return files;
}

function readable(name: string, text: string): unknown {
  return name.endsWith('.yaml') ? withoutEmptyResources(parse(text)) : text;
}

function render(options: BuildOptions, scenario: Scenario, caCertificate: string): Outcome {
  const { config, host } = buildConfig(options);
  const surroundings = {
    caDirectories: CA_DIRECTORIES.filter((path) => existsSync(path)),
    systemdResolved: spawnSync('systemctl', ['is-active', 'systemd-resolved']).status === 0,
    hostname: hostname(),
    proxyEnvironment: Object.entries(scenario.env ?? {}).map(([name, value]) => ({ name, value })),
    patches: scenario.patches ?? [],
  };
  const files: Record<string, unknown> = {};
  for (const [path, { content }] of renderHost(config, host, surroundings)) {
    const name = path.slice(path.lastIndexOf('/') + 1);
    const isOurs = path.startsWith('/etc/kubernetes/') || path.startsWith('/var/lib/kubelet/');
    if (isOurs) files[name] = readable(name, content);
  }
  const objects: Record<string, unknown> = {};
  const clusterInfo = clusterInfoConfigMap({ server: controlPlaneUrl(config), caPem: caCertificate });
  for (const object of [...clusterObjects(config, surroundings), clusterInfo]) add(objects, object as Json);
  // A dry run does not show it: it is created by the phase that would wait for the API.
  delete objects['ClusterRoleBinding kubeadm:cluster-admins'];
  return { files, objects };
}

/** Objects that the dry run says it would create; not the Node, and not the token's Secret. */
function createdObjects(stdout: string): Record<string, unknown> {
  const objects: Record<string, unknown> = {};
  const action =
    /^\[dryrun\] Would perform action CREATE on .*\n\[dryrun\] Attached object:\n((?:(?!\[).*\n)*)/gm;
  for (const [, text = ''] of stdout.matchAll(action)) {
    for (const document of parseAllDocuments(text)) {
      const object = document.toJS() as Json;
      if (object.kind !== 'Secret') add(objects, object);
    }
  }
  return objects;
}

function add(objects: Record<string, unknown>, object: Json): void {
  const metadata = object.metadata as { name: string; namespace?: string; resourceVersion?: string };
  const { resourceVersion: _version, ...plainMetadata } = metadata;
  const { status: _status, ...plain } = object;
  const place = metadata.namespace === undefined ? '' : `${metadata.namespace}/`;
  objects[`${String(object.kind)} ${place}${metadata.name}`] = withoutEmptyResources({
    ...plain,
    metadata: plainMetadata,
  });
}

/** Go writes an empty `resources` for a container that has none. */
function withoutEmptyResources(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmptyResources);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, field]) => key !== 'resources' || Object.keys(field as object).length > 0)
      .map(([key, field]) => [key, withoutEmptyResources(field)]),
  );
}
