import { describe, expect, it } from 'vitest';
import type { ClusterClient } from '../../../../src/cluster/client.js';
import { planesLeft, refuseOutOfTurn } from '../../../../src/workflows/upgrade/order.js';
import { clusterOfThree, fakeSession } from '../fixture.js';

const HOP = { from: 'v1.35.4', to: 'v1.36.3' };
const BACK = { from: HOP.to, to: HOP.from };

/** cp1, cp2 and w1, whose API servers and whose kubelet on w1 have these versions. */
function sessionWith(versions: { cp1: string; cp2: string; w1: string }) {
  const session = fakeSession(clusterOfThree());
  const list = async (path: string) =>
    path.startsWith('/api/v1/nodes')
      ? [{ metadata: { name: 'w1' }, status: { nodeInfo: { kubeletVersion: versions.w1 } } }]
      : (['cp1', 'cp2'] as const).map((nodeName) => ({
          metadata: { name: `kube-apiserver-${nodeName}` },
          spec: { nodeName, containers: [{ image: `registry.k8s.io/kube-apiserver:${versions[nodeName]}` }] },
        }));
  const client = { list } as unknown as ClusterClient;
  return { ...session, context: { ...session.context, api: () => client } };
}

const old = { cp1: HOP.from, cp2: HOP.from, w1: HOP.from };

describe('the order of a step', () => {
  it('refuses a worker before all control planes', async () => {
    const session = sessionWith({ ...old, cp1: HOP.to });
    const chosen = { hop: HOP, direction: 'upgrade', names: ['w1'] } as const;
    await expect(refuseOutOfTurn(session, chosen)).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('cp2 still runs v1.35.4'),
      hint: expect.stringContaining('--host cp2'),
    });
    await refuseOutOfTurn(sessionWith({ ...old, cp1: HOP.to, cp2: HOP.to }), chosen);
  });

  it('takes control planes at any time on the way up, and all hosts at once without a look', async () => {
    await refuseOutOfTurn(sessionWith(old), { hop: HOP, direction: 'upgrade', names: ['cp2'] });
    await refuseOutOfTurn(fakeSession(clusterOfThree()), {
      hop: HOP,
      direction: 'upgrade',
      names: ['cp1', 'cp2', 'w1'],
    });
  });

  it('refuses control planes before all workers on the way back', async () => {
    const chosen = { hop: BACK, direction: 'rollback', names: ['cp1', 'cp2'] } as const;
    await expect(
      refuseOutOfTurn(sessionWith({ cp1: BACK.from, cp2: BACK.from, w1: BACK.from }), chosen),
    ).rejects.toMatchObject({ message: expect.stringContaining('w1 still runs v1.36.3') });
    await refuseOutOfTurn(sessionWith({ cp1: BACK.from, cp2: BACK.from, w1: BACK.to }), chosen);
  });

  it('knows which control planes are left', async () => {
    const session = sessionWith({ ...old, cp2: HOP.to });
    expect(await planesLeft(session, { hop: HOP, direction: 'upgrade', names: ['cp1'] })).toEqual([]);
    expect(await planesLeft(session, { hop: HOP, direction: 'upgrade', names: ['cp2'] })).toEqual(['cp1']);
  });
});
