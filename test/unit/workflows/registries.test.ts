import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { hostsToml } from '../../../src/manifests/registries.js';
import { importImages } from '../../../src/workflows/import-images.js';
import { planPhases } from '../../../src/workflows/phase-run.js';
import { phasesNamed } from '../../../src/workflows/phase-selection.js';
import { registryFiles } from '../../../src/workflows/registry-files.js';
import { renderTrees } from '../../../src/workflows/render.js';
import { createFakeHost } from '../../fakes/fake-host.js';
import { CLUSTER, KUBEADM, parse, stream } from '../config/support.js';
import { BUNDLE, fakeSession } from './fixture.js';

const HOSTS_TOML = '/etc/containerd/certs.d/registry.k8s.io/hosts.toml';

async function withMirrors() {
  const dir = await mkdtemp(join(tmpdir(), 'keelson-registries-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  await writeFile(join(dir, 'ca.pem'), 'a certificate\n');
  await writeFile(join(dir, 'password'), 'hidden\n');
  await writeFile(
    join(dir, 'mirrors.yaml'),
    'registries: {registry.k8s.io: {url: "https://r.example:5000/k8s", ca: ca.pem, username: u, passwordFile: password}}\n',
  );
  const fast = `${KUBEADM}encryptionAlgorithm: ECDSA-P256\n`;
  return parse(stream(`${CLUSTER}  mirrors: ${join(dir, 'mirrors.yaml')}\n`, fast));
}

test('a mirror below a path, with CA and login, is written as containerd reads it', () => {
  expect(
    hostsToml({
      registry: 'registry.k8s.io',
      url: 'https://r.example:5000/k8s',
      authorization: 'Basic eA==',
      hasCa: true,
    }),
  ).toBe(`[host."https://r.example:5000/v2/k8s"]
  capabilities = ["pull", "resolve"]
  override_path = true
  ca = "/etc/containerd/certs.d/registry.k8s.io/mirror-ca.crt"
  [host."https://r.example:5000/v2/k8s".header]
    authorization = "Basic eA=="
`);
  expect(hostsToml({ registry: 'ghcr.io', url: 'http://r.example', authorization: null, hasCa: false })).toBe(
    '[host."http://r.example"]\n  capabilities = ["pull", "resolve"]\n',
  );
});

test('every host gets the mirrors, for root only, and the plan does not show the login', async () => {
  const config = await withMirrors();
  const session = fakeSession(config);
  const context = { ...session.context, registryFiles: await registryFiles(config) };
  const plan = await planPhases({ ...session, context }, { phases: phasesNamed('runtime/registries') });
  const changes = plan.tasks.flatMap(({ host, changes: own }) => own.map((change) => ({ host, ...change })));
  expect(changes).toHaveLength(4);
  expect(changes[1]).toMatchObject({ host: 'cp1', path: HOSTS_TOML, mode: 0o600, op: 'create' });
  const login = Buffer.from('u:hidden').toString('base64');
  expect(JSON.stringify(plan)).not.toContain(login);
  const file = (await renderTrees(config)).get('w1')?.get(HOSTS_TOML);
  expect(file).toMatchObject({ mode: 0o600 });
  expect(file?.content.toString()).toContain(`authorization = "Basic ${login}"`);
});

test('without mirrors the phase is no part of the cluster', async () => {
  const planned = planPhases(fakeSession(), { phases: phasesNamed('runtime/registries') });
  await expect(planned).rejects.toMatchObject({
    message: expect.stringContaining('not a part of this cluster'),
  });
});

test('hosts that pull by themselves do so by digest, and name the image as manifests do', async () => {
  const host = createFakeHost({ name: 'w1' });
  host.on(/^ctr /, {});
  const online = { ...BUNDLE, lock: { ...BUNDLE.lock, imagesBy: 'host' as const } };
  const digest = `sha256:${'0'.repeat(64)}`;
  const reference = 'registry.example/pause:v1';
  const change = { kind: 'image' as const, reference, digest, size: 1, reason: '' };
  await importImages(online, host, [change], new AbortController().signal);
  const pinned = `registry.example/pause@${digest}`;
  expect(host.calls.map(({ what }) => what)).toEqual([
    `ctr --namespace k8s.io images pull --hosts-dir /etc/containerd/certs.d ${pinned}`,
    `ctr --namespace k8s.io images tag --force ${pinned} ${reference}`,
    `ctr --namespace k8s.io images remove ${pinned}`,
  ]);
});

test('online is no directory, and ./online is one', () => {
  const bundleOf = (value: string) => parse(stream(`${CLUSTER}  bundle: ${value}\n`, KUBEADM)).spec.bundle;
  expect(bundleOf('online')).toBe('online');
  expect(bundleOf('./online')).toBe('/etc/keelson/online');
});
