import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { CLI, type E2eLab, kubectl, labDown, labUp, onNode, succeed, WORK } from '../e2e/support.js';
import { expectNothingToPlan, withHosts } from './support.js';

/** etcd by hand on a machine that keelson knows nothing of; the program is that of a running etcd container. */
const START = `mkdir -p /srv/etcd && chmod 700 /srv/etcd && systemd-run --unit=etcd-by-hand --collect /usr/local/bin/etcd \
  --name outside --data-dir /srv/etcd --listen-client-urls https://0.0.0.0:2379 --advertise-client-urls https://ADDRESS:2379 \
  --client-cert-auth --trusted-ca-file /srv/ca.crt --cert-file /srv/server.crt --key-file /srv/server.key`;

describe('a cluster whose etcd is run elsewhere', () => {
  let lab: E2eLab;
  let address: string;
  const local = (name: string) => join(lab.directory, 'etcd', name);

  beforeAll(async () => {
    lab = await labUp('longelse', '--control-planes', '1', '--workers', '2');
    const file = readFileSync(lab.clusterFile, 'utf8');
    address = /name: w2[\s\S]*?address: (\S+)/.exec(file)?.[1] ?? '';
    issue();
    await succeed('kubeconfig', '-c', lab.clusterFile, '--out', lab.kubeconfig, '--replace');
    const program = await succeed(
      ...ssh('cp1', 'sh', '-c', 'base64 /proc/$(pgrep -x etcd)/root/usr/local/bin/etcd'),
    );
    await send(Buffer.from(program, 'base64'), '/usr/local/bin/etcd', '755');
    await succeed('reset', '-c', lab.clusterFile, '--yes');
    for (const name of ['ca.crt', 'server.crt', 'server.key'])
      await send(readFileSync(local(name)), `/srv/${name}`, '600');
    await onNode(lab, 'w2', START.replace('ADDRESS', address));
    describeElsewhere(file);
  });
  afterAll(() => labDown('longelse'));

  /** A CA, etcd's serving certificate and a client's. */
  function issue(): void {
    mkdirSync(join(lab.directory, 'etcd'), { recursive: true });
    const openssl = (...args: string[]) =>
      execFileSync('openssl', args, { cwd: join(lab.directory, 'etcd') });
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=etcd-outside');
    for (const [name, subject, extension] of [
      ['server', '/CN=outside', `subjectAltName=IP:${address}`],
      ['client', '/CN=apiserver', 'extendedKeyUsage=clientAuth'],
    ] as const) {
      const signed = ['-x509', '-CA', 'ca.crt', '-CAkey', 'ca.key'];
      const files = ['-keyout', `${name}.key`, '-out', `${name}.crt`, '-subj', subject, '-addext', extension];
      openssl('req', ...signed, ...key, ...files);
    }
  }

  const ssh = (node: string, ...command: string[]) => [
    'lab',
    'ssh',
    node,
    '--name',
    lab.name,
    '--',
    ...command,
  ];
  async function send(content: Buffer, path: string, mode: string): Promise<void> {
    const script = `base64 -d > ${path} && chmod ${mode} ${path}`;
    await execa('node', [CLI, ...ssh('w2', 'sh', '-c', script)], {
      cwd: WORK,
      input: content.toString('base64'),
    });
  }

  function describeElsewhere(file: string): void {
    const documents = parseAllDocuments(withHosts(file, /^w/, ['w1']));
    if (!Array.isArray(documents)) throw new Error('no documents');
    const named = (kind: string) => documents.find((document) => document.get('kind') === kind);
    const files = { caFile: 'etcd/ca.crt', certFile: 'etcd/client.crt', keyFile: 'etcd/client.key' };
    named('Cluster')?.setIn(['spec', 'externalEtcd'], files);
    named('ClusterConfiguration')?.setIn(['etcd', 'external'], {
      endpoints: [`https://${address}:2379`],
      caFile: '/etc/kubernetes/pki/etcd/ca.crt',
      certFile: '/etc/kubernetes/pki/apiserver-etcd-client.crt',
      keyFile: '/etc/kubernetes/pki/apiserver-etcd-client.key',
    });
    writeFileSync(lab.clusterFile, documents.map(String).join(''));
  }

  it('is installed with the client certificate that the operator has, and works', async () => {
    await succeed('apply', '-c', lab.clusterFile);
    await succeed('kubeconfig', '-c', lab.clusterFile, '--out', lab.kubeconfig, '--replace');
    expect(await onNode(lab, 'cp1', 'ls /etc/kubernetes/manifests')).not.toContain('etcd.yaml');
    const key = await onNode(lab, 'cp1', 'cat /etc/kubernetes/pki/apiserver-etcd-client.key');
    expect(key.trim()).toBe(readFileSync(local('client.key'), 'utf8').trim());
    expect((await kubectl(lab, 'get', 'nodes', '-o', 'name')).split('\n')).toEqual(['node/cp1', 'node/w1']);
    await succeed('verify', '-c', lab.clusterFile);
    await expectNothingToPlan(lab);
  });

  it('is left alone by a reset of the hosts', async () => {
    await succeed('reset', '-c', lab.clusterFile, '--yes');
    expect((await onNode(lab, 'w2', 'systemctl is-active etcd-by-hand')).trim()).toBe('active');
  });
});
