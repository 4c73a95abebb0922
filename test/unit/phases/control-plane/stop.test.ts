import { describe, expect, it } from 'vitest';
import { stopApiServer } from '../../../../src/phases/control-plane/stop.js';
import { fakeSession } from '../../workflows/fixture.js';

const MANIFEST = '/etc/kubernetes/manifests/kube-apiserver.yaml';

describe('stopping an API server', () => {
  it('is taking its manifest away and waiting until it takes no connections', async () => {
    const { context, fakes } = fakeSession();
    const host = fakes.get('cp1');
    if (host === undefined) throw new Error('no host');
    host.files.set(MANIFEST, { content: Buffer.from(''), mode: 0o600, owner: 'root:root', type: 'file' });
    let looks = 0;
    host.on(/^sh -c 'grep/, () => {
      looks += 1;
      return { code: looks < 3 ? 0 : 1 };
    });
    const seen = await host.read({ stats: [MANIFEST] });
    const { changes } = stopApiServer.plan(context, 'cp1', seen);
    expect(changes).toMatchObject([{ kind: 'action', name: 'stop', disrupts: true }]);
    const [change] = changes;
    if (change?.kind !== 'action') throw new Error('no action');
    await stopApiServer.actions?.stop?.(context, host, change);
    expect(looks).toBe(3);
    // 6443 in hexadecimal.
    expect(host.calls.find(({ kind }) => kind === 'query')?.what).toContain(': 0+:192b ');
    const after = stopApiServer.plan(context, 'cp1', await host.read({ stats: [MANIFEST] }));
    expect(after.standing).toBe('satisfied');
  });
});
