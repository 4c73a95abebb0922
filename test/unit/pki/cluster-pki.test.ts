import { describe, expect, it } from 'vitest';
import { contentsOf, issueClusterPki, issueHostPki } from '../../../src/pki/cluster-pki.js';
import { inspectBundle } from '../../../src/pki/inspect.js';
import { JOINING_KUBECONFIGS } from '../../../src/pki/table.js';
import { contextAt, issuedFiles, NOW, scope } from './fixtures.js';

const PKI = '/etc/kubernetes/pki';
const context = contextAt(NOW);

describe('issueClusterPki', () => {
  it('keeps what exists, byte for byte, and makes the rest', async () => {
    const { cluster } = scope();
    const first = contentsOf(await issueClusterPki({ cluster, context }));
    const kept = new Map([...first].filter(([path]) => path.includes('/ca.') || path.endsWith('sa.key')));
    const second = await issueClusterPki({ cluster, existing: kept, context });
    expect([...second.keys()].sort()).toEqual([...first.keys()].sort());
    for (const path of [...kept.keys(), `${PKI}/sa.pub`])
      expect(second.get(path)?.content).toEqual(first.get(path));
    expect(second.get(`${PKI}/front-proxy-ca.crt`)?.content).not.toEqual(
      first.get(`${PKI}/front-proxy-ca.crt`),
    );
  });

  it('changes nothing on a second run', async () => {
    const { cluster } = scope();
    const first = await issueClusterPki({ cluster, context });
    expect(await issueClusterPki({ cluster, existing: contentsOf(first), context })).toEqual(first);
  });

  it('refuses to go on beside a broken authority', async () => {
    const existing = new Map([[`${PKI}/ca.crt`, Buffer.from('broken')]]);
    await expect(issueClusterPki({ cluster: scope().cluster, existing, context })).rejects.toMatchObject({
      code: 'PKI',
      message: expect.stringContaining(`${PKI}/ca.crt`),
    });
  });
});

describe('issueHostPki', () => {
  it('gives a joining control plane its own certificates under the shared authorities', async () => {
    const given = scope();
    const shared = contentsOf(await issueClusterPki({ cluster: given.cluster, context }));
    const joining = scope({
      nodeRegistration: { name: 'cp2' },
      localAPIEndpoint: { advertiseAddress: '10.88.0.12' },
    });
    const files = await issueHostPki({
      ...joining,
      existing: shared,
      context,
      kubeconfigs: JOINING_KUBECONFIGS,
    });
    expect([...files.keys()].filter((path) => path.endsWith('.conf')).sort()).toEqual([
      '/etc/kubernetes/admin.conf',
      '/etc/kubernetes/controller-manager.conf',
      '/etc/kubernetes/scheduler.conf',
    ]);
    const peer = inspectBundle(files.get(`${PKI}/etcd/peer.crt`)?.content.toString() ?? '', 'peer')[0];
    expect(peer).toMatchObject({
      commonName: 'cp2',
      sans: { dns: ['cp2', 'localhost'], ips: ['10.88.0.12', '127.0.0.1', '::1'] },
    });
  });

  it('changes nothing on a second run', async () => {
    const given = scope();
    const existing = await issuedFiles(given);
    const again = await issueHostPki({ ...given, existing, context });
    for (const [path, file] of again) expect(file.content).toBe(existing.get(path));
    expect(again.size).toBe(14 + 5);
  });

  it('refuses certificates that lack names, unless it may issue them anew', async () => {
    const existing = await issuedFiles();
    const moved = scope({ cluster: { apiServer: { certSANs: ['new.example'] } } });
    const input = { ...moved, existing, context };
    await expect(issueHostPki(input)).rejects.toMatchObject({
      code: 'PKI',
      message: `${PKI}/apiserver.crt is not valid for new.example`,
      details: [expect.objectContaining({ code: 'sans-lacking' })],
    });
    const files = await issueHostPki({ ...input, reissueForSans: true });
    const changed = [...files]
      .filter(([path, file]) => !existing.get(path)?.equals(file.content))
      .map(([path]) => path);
    expect(changed.sort()).toEqual([`${PKI}/apiserver.crt`, `${PKI}/apiserver.key`]);
  });

  it('names what an external authority has to sign', async () => {
    const existing = await issuedFiles();
    for (const path of [`${PKI}/ca.key`, `${PKI}/apiserver.crt`, `${PKI}/apiserver.key`])
      existing.delete(path);
    await expect(issueHostPki({ ...scope(), existing, context })).rejects.toMatchObject({
      code: 'PKI',
      message: `${PKI}/apiserver.crt is missing, and the key of ${PKI}/ca.crt is not here to sign it`,
    });
  });

  it('needs the authorities first', async () => {
    await expect(issueHostPki({ ...scope(), context })).rejects.toMatchObject({ code: 'PKI' });
  });

  it('gives secrets the mode 0600 and certificates 0644', async () => {
    const given = scope();
    const shared = await issueClusterPki({ cluster: given.cluster, context });
    const own = await issueHostPki({ ...given, existing: contentsOf(shared), context });
    for (const [path, { mode }] of [...shared, ...own])
      expect([path, mode]).toEqual([path, path.endsWith('.crt') ? 0o644 : 0o600]);
  });
});
