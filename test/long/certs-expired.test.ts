import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Document, parseAllDocuments } from 'yaml';
import { type E2eLab, keelson, kubectl, labDown, labUp, onNode, succeed } from '../e2e/support.js';
import { refreshKubeconfig, SOME_PLANES } from './support.js';

const NAME = 'longcerts';
/** Long enough to bring the cluster up. */
const VALIDITY_MS = (SOME_PLANES.length > 1 ? 6 : 4) * 60_000;
const HOSTS = [...SOME_PLANES, 'w1'];
const LAST = SOME_PLANES.at(-1) ?? '';

describe('a cluster whose certificates have all expired', () => {
  let lab: E2eLab;
  beforeAll(async () => {
    lab = await labUp(NAME, '--control-planes', String(SOME_PLANES.length), '--workers', '1', '--no-cluster');
    const validity = `${VALIDITY_MS / 60_000}m0s`;
    edit((document) => {
      document.set('certificateValidityPeriod', validity);
      document.addIn(['controllerManager', 'extraArgs'], {
        name: 'cluster-signing-duration',
        value: validity,
      });
    });
    await succeed('apply', '-c', lab.clusterFile);
    await refreshKubeconfig(lab);
    await kubectl(lab, 'create', 'configmap', 'kept', '--from-literal', 'answer=42');
  });
  afterAll(() => labDown(NAME));

  /** Changes ClusterConfiguration in the lab's file. */
  function edit(change: (document: Document) => void): void {
    const documents = parseAllDocuments(readFileSync(lab.clusterFile, 'utf8')) as Document[];
    for (const document of documents) if (document.get('kind') === 'ClusterConfiguration') change(document);
    writeFileSync(lab.clusterFile, documents.map(String).join('---\n'));
  }

  it('has lost its power, and comes back to nothing that works', async () => {
    for (const host of HOSTS) await succeed('lab', 'stop', host, '--name', NAME);
    // Nothing signs any more, so nothing is valid for longer.
    await delay(VALIDITY_MS + 5_000);
    for (const host of HOSTS) await succeed('lab', 'start', host, '--name', NAME);
    await expect(kubectl(lab, 'get', 'nodes', '--request-timeout=5s')).rejects.toThrow();
    const check = await keelson(['certs', 'check', '-c', lab.clusterFile]);
    expect(check.exitCode, check.stderr).toBe(6);
    for (const name of ['apiserver.crt', 'etcd/peer.crt', 'admin.conf', 'kubelet-client-current.pem']) {
      expect(check.stdout).toMatch(new RegExp(`✖ ${LAST}:\\S*${name} expired`));
    }
    const plan = await keelson(['plan', '-c', lab.clusterFile]);
    expect(`${plan.stdout}${plan.stderr}`).toContain('keelson certs renew');
  });

  it('is repaired with certs renew', async () => {
    edit((document) => document.delete('certificateValidityPeriod'));
    await succeed('certs', 'renew', 'all', '--yes', '-c', lab.clusterFile);
    await expect
      .poll(() => kubectl(lab, 'get', 'nodes').catch(() => ''), { timeout: 120_000, interval: 1000 })
      .toMatch(new RegExp(HOSTS.map((host) => `${host} +Ready`).join('[\\s\\S]*')));
    expect(await kubectl(lab, 'get', 'configmap', 'kept', '-o', 'jsonpath={.data.answer}')).toBe('42');
    await succeed('certs', 'check', '-c', lab.clusterFile, '--warn-days', '0');
    const expiration = await onNode(lab, LAST, 'kubeadm certs check-expiration');
    expect(expiration).toMatch(/apiserver +\w+ \d+, \d+ [\d:]+ UTC +364d/);
    await succeed('verify', '-c', lab.clusterFile);
  });
});
