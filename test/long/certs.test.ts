import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type E2eLab, keelson, kubectl, labDown, labUp, onNode, succeed, WORK } from '../e2e/support.js';

interface Item {
  host: string;
  name: string;
  part: string;
  source: string;
  certificates: { serial: string; sans: { dns: string[] } }[];
}

describe('the certificates of a cluster', () => {
  let lab: E2eLab;
  beforeAll(async () => {
    lab = await labUp('longcertificates', '--workers', '1');
  });
  afterAll(() => labDown('longcertificates'));

  const items = async (): Promise<Item[]> => {
    const text = await succeed('certs', 'check', '-c', lab.clusterFile, '-o', 'json');
    expect(text).not.toContain('PRIVATE');
    return (JSON.parse(text) as { items: Item[] }).items;
  };
  /** Serials of what is presented, by host and program. */
  const presented = (all: readonly Item[]) =>
    new Map(
      all
        .filter(({ source }) => source === 'handshake')
        .map(({ host, name, certificates }) => [`${host} ${name}`, certificates[0]?.serial]),
    );

  it('are found, all of them, with nothing wrong', async () => {
    const found = await items();
    const programs = [
      'etcd',
      'etcd-peer',
      'kube-apiserver',
      'kube-controller-manager',
      'kube-scheduler',
      'kubelet',
    ];
    expect([...presented(found).keys()].sort()).toEqual([
      ...programs.map((name) => `cp1 ${name}`),
      'w1 kubelet',
    ]);
    const trust = found
      .filter(({ part, source }) => part === 'trust' && source === 'object')
      .map(({ name }) => name);
    expect(trust.sort()).toEqual([
      'client-ca-file',
      'cluster-info',
      'kube-root-ca.crt',
      'requestheader-client-ca-file',
    ]);
    const metrics = await succeed('certs', 'check', '-c', lab.clusterFile, '-o', 'prometheus');
    expect(metrics).toContain('keelson_certificate_findings{cluster="longcertificates",severity="error"} 0');
    const soon = await keelson(['certs', 'check', '-c', lab.clusterFile, '--warn-days', '400']);
    expect(soon.exitCode).toBe(6);
    expect(soon.stdout).toMatch(/! cp1:\S+\/apiserver.crt expires in 364 days/);
  });

  it('are renewed: the old ones are no longer presented, and kubeadm is content', async () => {
    const before = presented(await items());
    const local = readFileSync(lab.kubeconfig, 'utf8');
    await succeed('certs', 'renew', 'all', '--yes', '-c', lab.clusterFile);
    const after = presented(await items());
    for (const program of [
      'kube-apiserver',
      'etcd',
      'etcd-peer',
      'kube-controller-manager',
      'kube-scheduler',
    ]) {
      expect(after.get(`cp1 ${program}`), program).not.toBe(before.get(`cp1 ${program}`));
    }
    expect(await onNode(lab, 'cp1', 'kubeadm certs check-expiration')).not.toMatch(/invalid|MISSING/i);
    expect(readFileSync(lab.kubeconfig, 'utf8')).not.toBe(local);
    expect(await kubectl(lab, 'get', 'nodes', '-o', 'name')).toBe('node/cp1\nnode/w1');
  });

  it('follow the cluster file: new names are served after an apply', async () => {
    const file = readFileSync(lab.clusterFile, 'utf8');
    const named = file.replace(
      'kind: ClusterConfiguration\n',
      'kind: ClusterConfiguration\napiServer: {certSANs: [api.example]}\n',
    );
    writeFileSync(lab.clusterFile, named);
    const lacking = await keelson(['certs', 'check', '-c', lab.clusterFile]);
    expect(lacking.exitCode).toBe(6);
    expect(lacking.stdout).toContain('apiserver.crt is not valid for api.example');
    await succeed('apply', '-c', lab.clusterFile);
    const shown = (await items()).find(({ name }) => name === 'kube-apiserver');
    expect(shown?.certificates[0]?.sans.dns).toContain('api.example');
  });

  it('are signed elsewhere where the authority’s key is not on the hosts', async () => {
    const folder = join(WORK, 'requests');
    const pki = '/etc/kubernetes/pki';
    await succeed('certs', 'renew', 'apiserver', '--csr-only', folder, '-c', lab.clusterFile);
    const request = readFileSync(join(folder, 'cp1', 'apiserver.csr')).toString('base64');
    const signed = await onNode(
      lab,
      'cp1',
      `mv ${pki}/ca.key /root/ca.key && echo ${request} | base64 -d | openssl x509 -req -days 20 -copy_extensions copyall -CA ${pki}/ca.crt -CAkey /root/ca.key 2>/dev/null`,
    );
    const refused = await keelson(['certs', 'renew', 'apiserver', '--yes', '-c', lab.clusterFile]);
    expect([refused.exitCode, refused.stderr]).toEqual([
      4,
      expect.stringContaining('key of ca is not on the hosts'),
    ]);
    writeFileSync(join(folder, 'cp1', 'apiserver.crt'), signed);
    await succeed('certs', 'renew', '--import', folder, '--yes', '-c', lab.clusterFile);
    await onNode(lab, 'cp1', `mv /root/ca.key ${pki}/ca.key`);
    const check = await keelson(['certs', 'check', '-c', lab.clusterFile]);
    expect(check.stdout).toMatch(/! cp1:\S+\/apiserver.crt expires in \d+ days/);
    expect(check.stdout).not.toContain('✖');
  });

  it('let a user in for a while, with the rights of their groups', async () => {
    const file = join(WORK, 'jane.kubeconfig');
    const create = ['kubeconfig', 'create', '--user', 'jane', '--groups', 'viewers', '-c', lab.clusterFile];
    await succeed(...create, '--ttl', '20m', '--out', file);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const { users } = parse(readFileSync(file, 'utf8')) as {
      users: { user: Record<'client-certificate-data', string> }[];
    };
    const data = users[0]?.user['client-certificate-data'] ?? '';
    const leaf = new X509Certificate(Buffer.from(data, 'base64'));
    expect(leaf.subject.split('\n').sort()).toEqual(['CN=jane', 'O=viewers']);
    expect(Date.parse(leaf.validTo) - Date.now()).toBeLessThan(21 * 60_000);
    await kubectl(lab, 'create', 'clusterrolebinding', 'viewers', '--clusterrole=view', '--group=viewers');
    const jane = { ...lab, kubeconfig: file };
    await expect
      .poll(() => kubectl(jane, 'auth', 'can-i', 'list', 'pods').catch(() => 'no'), { timeout: 20_000 })
      .toBe('yes');
    await expect(kubectl(jane, 'auth', 'can-i', 'delete', 'nodes')).rejects.toThrow();
    expect(await kubectl(lab, 'get', 'csr', '-o', 'name')).not.toContain('keelson-user');
  });
});
