import { webcrypto } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../../../src/cluster/client.js';
import { kubeletServing } from '../../../../src/phases/kubelet/serving.js';
import { KUBELET_SERVER_CERTIFICATE } from '../../../../src/phases/paths.js';
import { createFakeApi, type FakeApi } from '../../../fakes/fake-api.js';
import { cluster, fakeSession } from '../../workflows/fixture.js';

const NODE = { commonName: 'system:node:w1', organization: 'system:nodes' };

async function requestOf(sans: { type: 'dns' | 'ip'; value: string }[], subject = NODE): Promise<string> {
  const library = await import('../../../../src/pki/x509-library.js');
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const request = await library.Pkcs10CertificateRequestGenerator.create({
    name: new library.Name([{ O: [subject.organization] }, { CN: [subject.commonName] }]),
    keys,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    extensions: [new library.SubjectAlternativeNameExtension(sans)],
  });
  return Buffer.from(request.toString('pem')).toString('base64');
}

function signingRequest(name: string, request: string, username = 'system:node:w1'): KubeObject {
  return {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name },
    spec: {
      request,
      username,
      groups: ['system:nodes'],
      usages: ['digital signature', 'server auth'],
      signerName: 'kubernetes.io/kubelet-serving',
    },
  };
}

/** cp1 has its certificate; w1 gets one as soon as a request is approved. */
function world(...requests: KubeObject[]) {
  const session = fakeSession({ ...cluster(), kubelet: { ...cluster().kubelet, serverTLSBootstrap: true } });
  const api: FakeApi = createFakeApi(...requests);
  const file = { content: Buffer.from('pem'), mode: 0o600, owner: 'root:root', type: 'file' } as const;
  session.fakes.get('cp1')?.files.set(KUBELET_SERVER_CERTIFICATE, file);
  const request: FakeApi['request'] = async (method, path, options) => {
    if (path.endsWith('/approval')) {
      api.put(JSON.parse(options?.body ?? '{}') as KubeObject);
      session.fakes.get('w1')?.files.set(KUBELET_SERVER_CERTIFICATE, file);
    }
    return api.request(method, path, options);
  };
  const context = { ...session.context, api: () => ({ ...api, request }) };
  const approve = { kind: 'action', name: 'approve', summary: '', params: { host: 'w1' } } as const;
  return { api, context, approve: () => kubeletServing.actions?.approve?.(context, approve) };
}

const approvals = (api: FakeApi) => api.calls.filter((call) => call.endsWith('/approval'));

describe('serving certificates of kubelets', () => {
  it('belong to clusters whose kubelets ask for them', () => {
    const { context } = world();
    expect(kubeletServing.runIf?.(context)).toBe(true);
    expect(kubeletServing.runIf?.({ ...context, config: cluster() })).toBe(false);
  });

  it('are missing on hosts without one, and drifted where a kubelet asks for another', async () => {
    const sans = [{ type: 'dns', value: 'w1' } as const];
    const { context } = world();
    const hosts = async (of: typeof context) =>
      (await kubeletServing.check(of)).changes.map((change) =>
        change.kind === 'action' ? change.params?.host : '',
      );
    expect(await hosts(context)).toEqual(['w1']);
    const own = await requestOf([{ type: 'dns', value: 'cp1' }], { ...NODE, commonName: 'system:node:cp1' });
    const asking = world(signingRequest('csr-cp1', own, 'system:node:cp1'));
    expect(await hosts(asking.context)).toEqual(['cp1', 'w1']);
    const forged = world(signingRequest('csr-cp1', await requestOf(sans), 'system:node:cp1'));
    expect(await hosts(forged.context)).toEqual(['w1']);
  });

  it('are approved where a node asks for names and addresses of its host', async () => {
    const request = await requestOf([
      { type: 'dns', value: 'w1' },
      { type: 'ip', value: '10.0.0.2' },
    ]);
    const { api, context, approve } = world(signingRequest('csr-1', request));
    await approve();
    expect(approvals(api)).toEqual([
      'PUT /apis/certificates.k8s.io/v1/certificatesigningrequests/csr-1/approval',
    ]);
    expect((await kubeletServing.check(context)).standing).toBe('satisfied');
  });

  it('are not approved where a node asks for another host’s address', async () => {
    const request = await requestOf([
      { type: 'dns', value: 'w1' },
      { type: 'ip', value: '10.0.0.1' },
    ]);
    const { api, approve } = world(signingRequest('csr-forged', request));
    await expect(approve()).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining(
        'csr-forged for a serving certificate is not approved: the host does not have ip:10.0.0.1',
      ),
    });
    expect(approvals(api)).toEqual([]);
  });

  it('are not approved where somebody else asks in the node’s name', async () => {
    const request = await requestOf([{ type: 'dns', value: 'w1' }], {
      ...NODE,
      commonName: 'system:node:cp1',
    });
    const { api, approve } = world(signingRequest('csr-forged', request));
    await expect(approve()).rejects.toThrow(/asks to be system:node:cp1/);
    expect(approvals(api)).toEqual([]);
  });

  it('are approved beside a forged request, which stays as it is', async () => {
    const good = await requestOf([{ type: 'ip', value: '10.0.0.2' }]);
    const forged = await requestOf([{ type: 'dns', value: 'kubernetes' }]);
    const { api, approve } = world(signingRequest('csr-1', good), signingRequest('csr-forged', forged));
    await approve();
    expect(approvals(api).join()).toContain('csr-1/approval');
    expect(approvals(api).join()).not.toContain('csr-forged');
  });
});
