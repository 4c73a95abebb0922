// What the kubeadm script sends to a node, as one tar: the files and images that keelson installs from the bundle.
import { createReadStream, createWriteStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';
import { parseAllDocuments, stringify } from 'yaml';
import { built } from './dist.mjs';

export const NODE_DIRECTORY = '/var/lib/bench';
export const TOKEN = 'abcdef.0123456789abcdef';
/** Agreed on before, as the token is, so that nothing has to be read from the first control plane. */
export const CERTIFICATE_KEY = '0123456789abcdef'.repeat(4);

/** Paths of configuration that a node has before kubeadm runs on it; the rest is kubeadm's to write. */
const PREPARED = /^\/(etc\/(modules-load\.d|sysctl\.d|containerd)|usr\/lib\/systemd|etc\/crictl\.yaml)/;
/** Only `keelson verify` wants it. */
const UNUSED_IMAGES = ['agnhost'];

/** Writes a payload a role below `directory`. Returns their paths by role. */
export async function writePayloads({ bundle, config, clusterText, directory }) {
  const paths = {};
  for (const role of ['control-plane', 'worker']) {
    const host = config.hosts.find((candidate) => candidate.role === role);
    if (host === undefined) continue;
    const extra = role === 'control-plane' ? await clusterFiles({ bundle, config, clusterText, host }) : {};
    paths[role] = join(directory, `${role}.tar`);
    await writePayload({ bundle, config, host, extra, path: paths[role] });
  }
  return paths;
}

/** Writes what another version has and `before` has not a role below `directory`; binaries are to be moved from NODE_DIRECTORY. */
export async function writeUpgradePayloads({ bundle, before, config, directory }) {
  const digests = new Set(
    [...before.lock.files, ...before.lock.images].map(({ sha256, digest }) => sha256 ?? digest),
  );
  const isNew = ({ sha256, digest }) => !digests.has(sha256 ?? digest);
  const paths = {};
  for (const role of ['control-plane', 'worker']) {
    const host = config.hosts.find((candidate) => candidate.role === role);
    if (host === undefined) continue;
    paths[role] = join(directory, `${role}.tar`);
    await writePayload({ bundle, host, path: paths[role], isNew, prefix: NODE_DIRECTORY });
  }
  return paths;
}

/** @param config for the files that a node has before kubeadm runs; none without it */
async function writePayload({ bundle, config, host, extra = {}, path, isNew = () => true, prefix = '' }) {
  const [{ filesForRole, imagesForRole, blobPath }, { imagesArchive }, { renderHost }] = await Promise.all([
    built('bundle/bundle.js'),
    built('bundle/archive.js'),
    built('manifests/render.js'),
  ]);
  const images = imagesForRole(bundle, host.role).filter(
    (image) => !UNUSED_IMAGES.includes(image.name) && isNew(image),
  );
  const archive = `${path}.images`;
  const copies = async function* () {
    for await (const chunk of imagesArchive(bundle, images)) yield Buffer.from(chunk);
  };
  await pipeline(copies, createWriteStream(archive));

  const tar = pack();
  const written = pipeline(tar, createWriteStream(path));
  const text = (name, content) =>
    new Promise((resolve, reject) => {
      const header = { name: name.slice(1), mode: 0o644 };
      tar.entry(header, content, (error) => (error ? reject(error) : resolve()));
    });
  const file = async (name, from, mode) => {
    const { size } = await stat(from);
    await pipeline(createReadStream(from), tar.entry({ name: name.slice(1), mode, size }));
  };
  for (const entry of filesForRole(bundle, host.role).filter(isNew)) {
    await file(`${prefix}${entry.path}`, blobPath(bundle, entry.sha256), entry.mode);
  }
  for (const [name, { content }] of config === undefined ? [] : renderHost(config, host)) {
    if (PREPARED.test(name)) await text(name, content);
  }
  for (const [name, content] of Object.entries(extra)) await text(`${NODE_DIRECTORY}/${name}`, content);
  await file(`${NODE_DIRECTORY}/images.tar`, archive, 0o644);
  tar.finalize();
  await written;
  await rm(archive);
}

/** kubeadm's configuration, from the documents of the cluster file, and flannel's manifest. */
async function clusterFiles({ bundle, config, clusterText, host }) {
  const [{ flannelObjects }, { imageByName }] = await Promise.all([
    built('manifests/flannel.js'),
    built('bundle/bundle.js'),
  ]);
  const documents = parseAllDocuments(clusterText).map((document) => document.toJS());
  const init = {
    apiVersion: 'kubeadm.k8s.io/v1beta4',
    kind: 'InitConfiguration',
    bootstrapTokens: [{ token: TOKEN, ttl: '1h0m0s' }],
    certificateKey: CERTIFICATE_KEY,
    localAPIEndpoint: host.localAPIEndpoint,
    nodeRegistration: { name: host.nodeRegistration.name, criSocket: host.nodeRegistration.criSocket },
  };
  const yaml = (objects) => objects.map((object) => stringify(object, { compat: 'yaml-1.1' })).join('---\n');
  const { controlPlaneEndpoint } = config.cluster;
  // The cluster file may say it in spec.endpoint.
  const withEndpoint = (document) =>
    document.kind === 'ClusterConfiguration' && controlPlaneEndpoint
      ? { ...document, controlPlaneEndpoint }
      : document;
  const images = {
    flannel: imageByName(bundle, 'flannel').reference,
    cniPlugin: imageByName(bundle, 'flannel-cni-plugin').reference,
  };
  return {
    'kubeadm.yaml': yaml([init, ...documents.filter(({ kind }) => kind !== 'Cluster').map(withEndpoint)]),
    'flannel.yaml': yaml(flannelObjects(config, images)),
  };
}
