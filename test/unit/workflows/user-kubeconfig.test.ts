import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { ClusterClient, KubeObject } from '../../../src/cluster/client.js';
import { parsePrivateKey } from '../../../src/pki/keys.js';
import { readKubeconfig } from '../../../src/pki/kubeconfig.js';
import { userKubeconfig } from '../../../src/workflows/user-kubeconfig.js';
import { withCertificates } from './certs/fixture.js';
import { fakeSession } from './fixture.js';

const HOUR = 3_600_000;
const jane = { user: 'jane', groups: ['viewers'], ttlMs: HOUR, by: 'ca' } as const;

/** The part of an API that signs: what is asked, and what becomes of the request. */
function signingApi(outcome: KubeObject['status']) {
  const calls: string[] = [];
  const objects: KubeObject[] = [];
  const client = {
    request: async (method: string, path: string, { body }: { body: string }) => {
      calls.push(`${method} ${path.replace(/[0-9a-f]{12}/, 'ID')}`);
      const object = JSON.parse(body) as KubeObject;
      objects.push(object);
      return { status: 201, body: object };
    },
    get: async () => ({ status: outcome }),
    remove: async ({ name }: { name: string }) =>
      void calls.push(`DELETE ${name.replace(/[0-9a-f]{12}/, 'ID')}`),
  } as unknown as ClusterClient;
  return { client, calls, objects };
}

describe('userKubeconfig', () => {
  it('has a certificate for the name and groups, of the time asked for, and a key of its own', async () => {
    const session = await withCertificates();
    const { text, expires } = await userKubeconfig(session, jane);
    const view = readKubeconfig(text, 'jane');
    const leaf = new X509Certificate(view.certPem ?? '');
    expect(leaf.subject).toBe('O=viewers\nCN=jane');
    expect(leaf.checkPrivateKey(parsePrivateKey(view.keyPem ?? '', 'key'))).toBe(true);
    expect(leaf.verify(new X509Certificate(view.caPem ?? '').publicKey)).toBe(true);
    expect(Math.abs(Date.parse(expires) - Date.now() - HOUR)).toBeLessThan(60_000);
    expect(view).toMatchObject({ server: 'https://10.0.0.1:6443', clusterName: 'demo', userName: 'jane' });
    for (const host of session.fakes.values()) {
      for (const { content } of host.files.values()) expect(content.includes(view.keyPem ?? '')).toBe(false);
    }
  });

  it('is signed by the cluster, whose request is approved and removed again', async () => {
    const session = await withCertificates();
    const { text } = await userKubeconfig(session, jane);
    const certificate = Buffer.from(readKubeconfig(text, 'x').certPem ?? '').toString('base64');
    const api = signingApi({ certificate });
    const context = { ...session.context, api: () => api.client };
    await userKubeconfig({ ...session, context }, { ...jane, by: 'csr' });
    const requests = '/apis/certificates.k8s.io/v1/certificatesigningrequests';
    expect(api.calls).toEqual([
      `POST ${requests}`,
      `PUT ${requests}/keelson-user-ID/approval`,
      'DELETE keelson-user-ID',
    ]);
    expect(api.objects[0]?.spec).toMatchObject({
      signerName: 'kubernetes.io/kube-apiserver-client',
      usages: ['client auth'],
      expirationSeconds: 3600,
    });
    expect(JSON.stringify(api.objects)).not.toContain('PRIVATE');
  });

  it('says why the cluster did not sign, and leaves no request behind', async () => {
    const session = await withCertificates();
    const api = signingApi({ conditions: [{ type: 'Failed', message: 'no such signer' }] });
    const context = { ...session.context, api: () => api.client };
    const making = userKubeconfig({ ...session, context }, { ...jane, by: 'csr' });
    await expect(making).rejects.toMatchObject({ message: expect.stringContaining('no such signer') });
    expect(api.calls.at(-1)).toBe('DELETE keelson-user-ID');
  });

  it.each([
    ['system:masters', { groups: ['system:masters'] }],
    ['less than ten minutes', { ttlMs: 60_000 }],
  ])('is not asked of the cluster for %s', async (_case, change) => {
    const making = userKubeconfig(fakeSession(), { ...jane, ...change, by: 'csr' });
    await expect(making).rejects.toMatchObject({ code: 'USAGE' });
  });
});
