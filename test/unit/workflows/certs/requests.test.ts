import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { inspectBundle } from '../../../../src/pki/inspect.js';
import { openAuthority, signRequest } from '../../../../src/pki/issue.js';
import { readKubeconfig } from '../../../../src/pki/kubeconfig.js';
import { readRequest } from '../../../../src/pki/request.js';
import { toSans } from '../../../../src/pki/san.js';
import {
  certificateRequests,
  type HostRequest,
  readSigned,
  refuseUnfit,
  writeRequests,
} from '../../../../src/workflows/certs/requests.js';
import type { FakeSession } from '../fixture.js';
import { PKI, renew, textOn, withCertificates } from './fixture.js';

const NAMES = new Set(['apiserver', 'scheduler.conf']);

/** The cluster's CA, whose key is nowhere on the hosts any more. */
async function takeAuthority(session: FakeSession) {
  const [certPem, keyPem] = [
    textOn(session, 'cp1', `${PKI}/ca.crt`),
    textOn(session, 'cp1', `${PKI}/ca.key`),
  ];
  session.fakes.get('cp1')?.files.delete(`${PKI}/ca.key`);
  return openAuthority({ certPem, keyPem }, { cert: 'ca.crt', key: 'ca.key' });
}

async function sign(
  request: HostRequest,
  authority: Awaited<ReturnType<typeof takeAuthority>>,
): Promise<string> {
  const asked = await readRequest(request.pem, request.name);
  const { commonName, organizations } = asked;
  const sans = toSans(asked.sans.map((name) => name.slice(name.indexOf(':') + 1)));
  const usage = sans.dns.length > 0 ? 'serverAuth' : 'clientAuth';
  const spec = {
    commonName,
    organizations,
    usages: [usage] as const,
    sans,
    validityMs: 864e5,
    notBefore: 'backdated' as const,
  };
  return signRequest(asked, spec, authority, { now: new Date() });
}

describe('certificates of an authority elsewhere', () => {
  it('are asked for with the keys on the hosts, and put in place beside them', async () => {
    const session = await withCertificates();
    const authority = await takeAuthority(session);
    const folder = await mkdtemp(join(tmpdir(), 'keelson-requests-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const requests = await certificateRequests(session, NAMES);
    for (const host of session.fakes.values()) expect(host.mutations()).toEqual([]);
    await writeRequests(folder, requests);
    expect((await readdir(join(folder, 'cp1'))).sort()).toEqual(['apiserver.csr', 'scheduler.conf.csr']);
    expect(await readFile(join(folder, 'cp1', 'apiserver.csr'), 'utf8')).toMatch(
      /^-----BEGIN CERTIFICATE REQUEST-----/,
    );
    for (const request of requests) {
      await writeFile(join(folder, request.host, `${request.name}.crt`), await sign(request, authority));
    }
    const given = await readSigned(folder, ['cp1', 'w1']);
    await refuseUnfit(session, given);
    const key = textOn(session, 'cp1', `${PKI}/apiserver.key`);
    const old = readKubeconfig(textOn(session, 'cp1', '/etc/kubernetes/scheduler.conf'), 'old');
    await renew(session, [...NAMES], given);
    expect(textOn(session, 'cp1', `${PKI}/apiserver.crt`)).toBe(given.get('cp1:apiserver'));
    expect(textOn(session, 'cp1', `${PKI}/apiserver.key`)).toBe(key);
    const fresh = readKubeconfig(textOn(session, 'cp1', '/etc/kubernetes/scheduler.conf'), 'new');
    expect(fresh.keyPem).toBe(old.keyPem);
    expect(fresh.certPem).toBe(given.get('cp1:scheduler.conf'));
    const again = await renew(session, [...NAMES], given);
    expect(again.plan.tasks.flatMap(({ changes }) => changes)).toEqual([]);
  });

  it('ask for what the cluster file wants', async () => {
    const session = await withCertificates();
    const [request] = await certificateRequests(session, new Set(['apiserver']));
    const [current] = inspectBundle(textOn(session, 'cp1', `${PKI}/apiserver.crt`), 'current');
    const asked = await readRequest(request?.pem ?? '', 'apiserver');
    expect(asked.commonName).toBe('kube-apiserver');
    expect([...asked.sans].sort()).toEqual(
      [...current.sans.dns.map((name) => `dns:${name}`), ...current.sans.ips.map((ip) => `ip:${ip}`)].sort(),
    );
  });

  it('are refused where they are of another key, another authority or for other names', async () => {
    const session = await withCertificates();
    const other = await withCertificates();
    const foreign = textOn(other, 'cp1', `${PKI}/apiserver.crt`);
    const wrong = textOn(session, 'cp1', `${PKI}/apiserver-kubelet-client.crt`);
    const given = new Map([
      ['cp1:apiserver', foreign],
      ['cp1:etcd-peer', wrong],
      ['w1:apiserver', foreign],
    ]);
    const error = await refuseUnfit(session, given).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'PKI',
      details: expect.arrayContaining([
        expect.stringMatching(/^w1:apiserver: no such certificate/),
        expect.stringMatching(/^cp1:apiserver is not the key of/),
        expect.stringMatching(/^cp1:apiserver is not signed by/),
        expect.stringMatching(/^cp1:etcd-peer is not valid for .*localhost/),
      ]),
    });
  });

  it('have to be there', async () => {
    await expect(readSigned('/nowhere', ['cp1'])).rejects.toMatchObject({ code: 'USAGE' });
  });
});
