import { waitUntil } from '../../engine/wait.js';
import { awaitPresented, awaitTrust, type Door, knowsCaller } from './handshakes.js';
import { isLast, type Run } from './run.js';
import type { Step } from './state.js';

const KUBELET_PORT = 10_250;
/** An API server closes connections with a client certificate that is no longer in its file every five minutes. */
const RECONNECT_MS = 330_000;

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
  if (step === 'verify' || isLast(step))
    for (const { name } of run.planes) await awaitReached(run, name, host);
}

/**
 * Waits until an API server is let in by the kubelet of a host: once that kubelet trusts one CA only, by a client
 * certificate of that one. API servers read theirs with every connection that they open, and kubelets that are
 * restarted have ended those from before.
 */
async function awaitReached(run: Run, plane: string, host: string): Promise<void> {
  const { context } = run.session;
  const node = context.hostNamed(host).nodeRegistration.name;
  const of = run.planes.find(({ name }) => name === plane);
  await waitUntil(
    async () => {
      // A kubelet that does not know it answers 401, which is looked at again.
      const api = await run.api(of);
      await api.request('GET', `/api/v1/nodes/${node}/proxy/healthz`, { timeoutMs: 5_000 });
      return { met: true, state: '' };
    },
    {
      for: `the API server of ${plane} to reach the kubelet of ${host}`,
      deadlineMs: RECONNECT_MS,
      intervalMs: 500,
      signal: context.signal,
    },
  );
}
