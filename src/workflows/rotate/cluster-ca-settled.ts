import { awaitPresented, awaitTrust, type Door, knowsCaller } from './handshakes.js';
import type { Run } from './run.js';
import type { Step } from './state.js';

const KUBELET_PORT = 10_250;

/**
 * Waits until the API server and the kubelet of a host show, in handshakes, whom they trust and by whom they were
 * certified.
 */
export async function clusterCaSettled(run: Run, host: string, step: Step): Promise<void> {
  const { nodeIP } = run.session.context.hostNamed(host);
  const request = (path: string): Door['request'] => {
    return async (which) => ({ path, identity: await run.stranger(which), servername: 'kubernetes' });
  };
  const plane = run.planes.find(({ name }) => name === host);
  if (plane !== undefined) {
    const { advertiseAddress: address, bindPort: port } = plane.localAPIEndpoint;
    const door: Door = {
      who: `the API server of ${host}`,
      host,
      endpoint: { address, port },
      request: request('/api/v1/nodes'),
      knows: knowsCaller,
    };
    await awaitTrust(run, door, step);
    await awaitPresented(run, door, step);
  }
  const kubelet: Door = {
    who: `the kubelet of ${host}`,
    host,
    endpoint: { address: nodeIP, port: KUBELET_PORT },
    request: request('/pods'),
    knows: knowsCaller,
  };
  await awaitTrust(run, kubelet, step);
}
