import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  drift,
  type E2eLab,
  keelson,
  kubectl,
  labDown,
  labUp,
  onNode,
  succeed,
  WORK,
} from '../e2e/support.js';
import { rotateTo, verifyStrictly } from './rotation-support.js';

const NAME = 'longauthorities';
const HOSTS = ['cp1', 'w1'];
const FLAG = '--kubelet-certificate-authority=/etc/kubernetes/pki/ca.crt';
const KEYS = `find /etc/kubernetes/pki -name ca.key -o -name '*-ca.key'`;
const CLIENT = '/var/lib/kubelet/pki/kubelet-client-current.pem';
const ROOT = '/root/organisation.crt';

/** What an organisation's own authority makes of a request. */
const EXTENSIONS = `basicConstraints=critical,CA:TRUE
keyUsage=critical,digitalSignature,keyEncipherment,keyCertSign
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
`;

describe('the authorities of a cluster', () => {
  let lab: E2eLab;
  let passphrase: string[];
  beforeAll(async () => {
    lab = await labUp(NAME, '--workers', '1');
    const file = join(WORK, 'passphrase');
    writeFileSync(file, 'some words that nobody guesses\n', { mode: 0o600 });
    passphrase = ['--passphrase-file', file];
  });
  afterAll(() => labDown(NAME));

  /** Logs and exec of a pod on every node, which API servers get from kubelets. */
  async function lookThroughKubelets(): Promise<string> {
    const pods = ['get', 'pods', '-n', 'kube-flannel', '-l', 'app=flannel', '-o', 'name'];
    const names = (await kubectl(lab, ...pods)).trim().split('\n');
    if (names.length !== HOSTS.length) return `${names.length} pods`;
    for (const pod of names) {
      if ((await kubectl(lab, 'logs', '-n', 'kube-flannel', '--tail', '1', pod)) === '') return 'no log';
      await kubectl(lab, 'exec', '-n', 'kube-flannel', pod, '--', 'echo', 'here');
    }
    return 'all';
  }

  /** A connection to a kubelet that was restarted just now may still be taken for one that is open. */
  async function throughKubelets(): Promise<void> {
    const look = () =>
      lookThroughKubelets().catch((error: unknown) => {
        const why = String(error);
        if (/x509/.test(why)) throw error;
        return why;
      });
    await expect.poll(look, { timeout: 15_000, interval: 500 }).toBe('all');
  }

  const checksKubelets = async () =>
    (await onNode(lab, 'cp1', 'cat /etc/kubernetes/manifests/kube-apiserver.yaml')).includes(FLAG);

  it('kubelets’ certificates are checked by API servers once all kubelets have one, in one apply', async () => {
    expect(await checksKubelets()).toBe(false);
    const file = readFileSync(lab.clusterFile, 'utf8');
    writeFileSync(
      lab.clusterFile,
      file.replace(/^kind: KubeletConfiguration$/m, '$&\nserverTLSBootstrap: true'),
    );
    let asked = 0;
    let stopped = false;
    const lost: string[] = [];
    const asking = (async () => {
      while (!stopped) {
        asked += 1;
        await lookThroughKubelets().catch((error: unknown) => lost.push(String(error)));
      }
    })();
    await succeed('apply', '-c', lab.clusterFile);
    stopped = true;
    await asking;
    process.stdout.write(`figure: logs and exec: ${lost.length} of ${asked} rounds failed\n`);
    // The only API server restarts, and kubelets have none before theirs is approved; nobody is refused for what they show.
    expect(lost.filter((why) => /x509/.test(why))).toEqual([]);
    expect(await checksKubelets()).toBe(true);
    expect(await drift(lab)).toEqual([]);
    await throughKubelets();
    for (const host of HOSTS) await verifyStrictly(lab, host);
  });

  it('kubelets stay known at every step of a rotation', async () => {
    for (const step of ['trust', 'restart', 'issue', 'verify']) {
      await rotateTo(lab, 'cluster-ca', '--until', step);
      await throughKubelets();
    }
    await rotateTo(lab, 'cluster-ca');
    await throughKubelets();
    expect(await checksKubelets()).toBe(true);
    expect(await drift(lab)).toEqual([]);
  });

  it('their keys can be kept off the hosts, and what they sign goes on', async () => {
    const sealed = join(WORK, 'keys.age');
    await succeed('certs', 'take-keys', sealed, ...passphrase, '--yes', '-c', lab.clusterFile);
    expect(await onNode(lab, 'cp1', KEYS)).toBe('');
    const without = await keelson(['certs', 'renew', 'kubelet-client', '--yes', '-c', lab.clusterFile]);
    expect(without.exitCode).not.toBe(0);
    const serial = (host: string) => onNode(lab, host, `openssl x509 -in ${CLIENT} -noout -serial`);
    const before = await Promise.all(HOSTS.map(serial));
    const keys = ['--ca-keys', sealed, ...passphrase, '--yes', '-c', lab.clusterFile];
    await succeed('certs', 'renew', 'kubelet-client', 'apiserver', ...keys);
    const after = await Promise.all(HOSTS.map(serial));
    for (const [index, was] of before.entries()) expect(after[index]).not.toBe(was);
    expect(await onNode(lab, 'cp1', KEYS)).toBe('');
    for (const host of HOSTS) await verifyStrictly(lab, host);
    expect(await kubectl(lab, 'get', 'nodes')).not.toContain('NotReady');
    await succeed('certs', 'return-keys', sealed, ...passphrase, '--yes', '-c', lab.clusterFile);
    expect((await onNode(lab, 'cp1', KEYS)).split('\n')).toHaveLength(3);
    expect(await drift(lab)).toEqual([]);
  });

  it('the cluster’s can be one that the organisation’s root signed, with which openssl is content', async () => {
    const folder = join(WORK, 'authority');
    mkdirSync(folder, { recursive: true });
    const request = ['certs', 'request-authority', 'cluster-ca', '--out', folder, ...passphrase];
    await succeed(...request, '-c', lab.clusterFile);
    const openssl = (...args: string[]) => execa('openssl', args, { cwd: folder });
    const elliptic = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    await openssl(
      ...['req', '-x509', ...elliptic, '-keyout', 'root.key', '-out', 'chain.crt', '-days', '3650'],
      ...['-subj', '/CN=Example Root', '-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
    );
    writeFileSync(join(folder, 'extensions'), EXTENSIONS);
    await openssl(
      ...['x509', '-req', '-in', 'ca.csr', '-CA', 'chain.crt', '-CAkey', 'root.key', '-CAcreateserial'],
      ...['-days', '1000', '-extfile', 'extensions', '-out', 'ca.crt'],
    );
    await rotateTo(lab, 'cluster-ca', '--authority', folder, ...passphrase);
    const root = readFileSync(join(folder, 'chain.crt')).toString('base64');
    for (const host of HOSTS) {
      await onNode(lab, host, `echo ${root} | base64 -d > ${ROOT}`);
      expect(await verifyStrictly(lab, host, ROOT)).toBeGreaterThanOrEqual(2);
    }
    await throughKubelets();
    expect((await keelson(['certs', 'check', '-c', lab.clusterFile])).stdout).not.toContain('✖');
    expect(await drift(lab)).toEqual([]);
    await succeed('verify', '-c', lab.clusterFile);
  });
});
