import { describe, expect, it } from 'vitest';
import { flannelReady } from '../../../../src/phases/network/flannel.js';
import { CLUSTER, KUBEADM, parse, stream } from '../../config/support.js';
import { type FakeSession, fakeSession } from '../../workflows/fixture.js';

async function awaited({ context, fakes }: FakeSession): Promise<readonly string[]> {
  const host = fakes.get('w1');
  if (host === undefined) throw new Error('no host w1');
  const { changes } = await flannelReady.plan(context, 'w1', await host.read({}));
  for (const change of changes)
    if (change.kind === 'action') await flannelReady.actions?.[change.name]?.(context, host, change);
  return host.calls.filter(({ kind }) => kind === 'script').map(({ what }) => what);
}

describe('waiting for flannel', () => {
  it('frees its connection to the API’s Service, which the kernel may track as it was before kube-proxy', async () => {
    expect(await awaited(fakeSession())).toEqual(['<network/await-flannel> ipv4 10.96.0.1']);
  });

  it('does so in the family of the Service', async () => {
    const networking = 'networking: {serviceSubnet: "fd00:10:96::/112", podSubnet: "fd00:10:244::/56"}';
    const config = parse(
      stream(
        CLUSTER.replaceAll(/10\.0\.0\.(\d)/g, '"fd00::$1"'),
        KUBEADM.replace(/^networking:.*/m, networking),
      ),
    );
    expect(await awaited(fakeSession(config))).toEqual(['<network/await-flannel> ipv6 fd00:10:96::1']);
  });
});
