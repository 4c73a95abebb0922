import { describe, expect, it } from 'vitest';
import type { FileChange } from '../../../../src/engine/types.js';
import { apiPods } from '../../../../src/phases/control-plane/static-pods.js';
import { kubeletAuthority } from '../../../../src/phases/kubelet/certificate-authority.js';
import { API_SERVER_MANIFEST } from '../../../../src/phases/unchecked-kubelets.js';
import { CLUSTER, KUBEADM, parse, stream } from '../../config/support.js';
import { type FakeSession, fakeSession } from '../../workflows/fixture.js';

const FLAG = '--kubelet-certificate-authority=/etc/kubernetes/pki/ca.crt';
const KUBELET =
  'apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nserverTLSBootstrap: true\n';
const [, apiServer] = apiPods;

const asking = () => fakeSession(parse(stream(CLUSTER, KUBEADM, KUBELET)));
const notAsking = () => fakeSession(parse(stream(CLUSTER, KUBEADM)));

async function planOf(session: FakeSession, phase = apiServer) {
  const host = session.fakes.get('cp1');
  if (host === undefined || phase === undefined) throw new Error('no host');
  return phase.plan(session.context, 'cp1', await host.read(phase.observe(session.context, 'cp1')));
}

const textIn = (changes: readonly object[]): string => {
  const file = changes.find((change) => (change as FileChange).path === API_SERVER_MANIFEST) as
    | FileChange
    | undefined;
  return file?.content?.kind === 'text' ? file.content.text : '';
};

/** cp1 with an API server as it was before kubelets asked for certificates. */
async function standing(): Promise<FakeSession> {
  const before = textIn((await planOf(notAsking())).changes);
  const session = asking();
  session.fakes.get('cp1')?.files.set(API_SERVER_MANIFEST, {
    content: Buffer.from(before),
    mode: 0o600,
    owner: 'root:root',
    type: 'file',
  });
  return session;
}

describe('API servers that are to check kubelets’ certificates', () => {
  it('do so from their start', async () => {
    const session = asking();
    expect(textIn((await planOf(session)).changes)).toContain(FLAG);
    expect((await planOf(session, kubeletAuthority)).standing).toBe('satisfied');
  });

  it('stay as they are where they stand, until kubelets were seen', async () => {
    const session = await standing();
    expect((await planOf(session)).standing).toBe('satisfied');
    const { standing: found, changes } = await planOf(session, kubeletAuthority);
    expect(found).toBe('drifted');
    expect(changes.map(({ kind }) => kind)).toEqual(['action', 'file', 'action']);
    expect(textIn(changes)).toContain(FLAG);
  });

  it('are left alone once they do', async () => {
    const session = await standing();
    const text = textIn((await planOf(session, kubeletAuthority)).changes);
    session.fakes.get('cp1')?.files.set(API_SERVER_MANIFEST, {
      content: Buffer.from(text),
      mode: 0o600,
      owner: 'root:root',
      type: 'file',
    });
    expect((await planOf(session)).standing).toBe('satisfied');
    expect((await planOf(session, kubeletAuthority)).standing).toBe('satisfied');
  });
});
