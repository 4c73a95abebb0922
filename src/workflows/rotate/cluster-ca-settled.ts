import { tlsProbe } from '../../cluster/tls-probe.js';
import { waitUntil } from '../../engine/wait.js';
import { isIssuedBy } from '../../pki/rotation.js';
import { isLast, issuerAfter, type Run } from './run.js';
import type { Step } from './state.js';
import type { Pairs } from './store.js';

/** Certificates and CA files are watched, and read at least once a minute, by API servers and kubelets. */
const RELOAD_MS = 150_000;
const KUBELET_PORT = 10_250;

/**
 * Waits until the API server and the kubelet of a host show, in handshakes, whom they trust and by whom they were
 * certified.
 */
export async function clusterCaSettled(run: Run, host: string, step: Step): Promise<void> {
  const plane = run.planes.find(({ name }) => name === host);
  const expected: Record<keyof Pairs, boolean> = isLast(step)
    ? { old: step === 'distrust', fresh: step === 'drop' }
    : { old: true, fresh: true };
  if (plane !== undefined) {
    const { advertiseAddress: address, bindPort: port } = plane.localAPIEndpoint;
    await awaitTrust(run, host, `the API server of ${host}`, { address, port }, '/api/v1/nodes', expected);
    await awaitPresented(run, host, { address, port }, issuerAfter(step));
  }
  const { nodeIP } = run.session.context.hostNamed(host);
  const kubelet = { address: nodeIP, port: KUBELET_PORT };
  await awaitTrust(run, host, `the kubelet of ${host}`, kubelet, '/pods', expected);
}

/** A stranger who is known is told that he may not; one who is not known, that he is not. */
async function awaitTrust(
  run: Run,
  hostName: string,
  who: string,
  endpoint: { address: string; port: number },
  path: string,
  expected: Record<keyof Pairs, boolean>,
): Promise<void> {
  const { context, effects } = run.session;
  const host = effects.host(hostName);
  const names = { old: 'the old CA', fresh: 'the new CA' } as const;
  for (const which of ['old', 'fresh'] as const) {
    const identity = await run.stranger(which);
    const wanted = expected[which];
    await waitUntil(
      async () => {
        const { status } = await tlsProbe(
          host,
          endpoint,
          { path, identity, servername: 'kubernetes' },
          context.signal,
        );
        const trusted = status === 403 || status === 200;
        const refused = status === 401 || status === null;
        return { met: wanted ? trusted : refused, state: `it answers ${status ?? 'nothing'}` };
      },
      {
        for: `${who} to ${wanted ? 'trust' : 'refuse'} ${names[which]}`,
        deadlineMs: RELOAD_MS,
        intervalMs: 500,
        signal: context.signal,
      },
    );
  }
}

async function awaitPresented(
  run: Run,
  hostName: string,
  endpoint: { address: string; port: number },
  which: keyof Pairs,
): Promise<void> {
  const { context, effects } = run.session;
  const host = effects.host(hostName);
  const place = `the API server of ${hostName}`;
  await waitUntil(
    async () => {
      const { certificate } = await tlsProbe(
        host,
        endpoint,
        { path: '/livez', servername: 'kubernetes' },
        context.signal,
      );
      const right = isIssuedBy(certificate, run.pairs[which], place, new Date(context.now()));
      return { met: right, state: 'it presents a certificate of another CA' };
    },
    {
      for: `${place} to present a certificate of the ${which === 'old' ? 'old' : 'new'} CA`,
      deadlineMs: RELOAD_MS,
      intervalMs: 500,
      signal: context.signal,
    },
  );
}
