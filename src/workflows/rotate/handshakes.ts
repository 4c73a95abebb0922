import type { Endpoint } from '../../cluster/tls-agent.js';
import { type TlsProbe, tlsProbe } from '../../cluster/tls-probe.js';
import { waitUntil } from '../../engine/wait.js';
import { isIssuedBy } from '../../pki/rotation.js';
import { isLast, issuerAfter, type Run } from './run.js';
import type { Step } from './state.js';
import type { Pairs } from './store.js';

/** Certificates and CA files are watched, and read at least once a minute, by API servers and kubelets. */
const RELOAD_MS = 150_000;

/** A server whose trust is looked at from outside. */
export interface Door {
  /** As it completes "timed out waiting for …". */
  who: string;
  host: string;
  endpoint: Endpoint;
  /** A request by someone whom only the old or only the new one vouches for. */
  request: (which: keyof Pairs) => Promise<TlsProbe>;
  /** Whether this answer (HTTP status; null: the connection was ended) is one to somebody who is known. */
  knows: (status: number | null) => boolean;
}

/** Those who are known and may not are told so (403); strangers are told that they are unknown (401). */
export const knowsCaller = (status: number | null): boolean => status === 403 || status === 200;

/** Waits until a server trusts exactly whom it has to after `step`. */
export async function awaitTrust(run: Run, door: Door, step: Step): Promise<void> {
  const { context, effects } = run.session;
  const expected: Record<keyof Pairs, boolean> = isLast(step)
    ? { old: step === 'distrust', fresh: step === 'drop' }
    : { old: true, fresh: true };
  for (const which of ['old', 'fresh'] as const) {
    const request = await door.request(which);
    const wanted = expected[which];
    await waitUntil(
      async () => {
        const { status } = await tlsProbe(effects.host(door.host), door.endpoint, request, context.signal);
        return { met: door.knows(status) === wanted, state: `it answers ${status ?? 'nothing'}` };
      },
      {
        for: `${door.who} to ${wanted ? 'trust' : 'refuse'} the ${nameOf(which)} one`,
        deadlineMs: RELOAD_MS,
        intervalMs: 500,
        signal: context.signal,
      },
    );
  }
}

/** Waits until a server presents a certificate of the one that signs after `step`. */
export async function awaitPresented(
  run: Run,
  { who, host, endpoint }: Pick<Door, 'who' | 'host' | 'endpoint'>,
  step: Step,
): Promise<void> {
  const { context, effects } = run.session;
  const which = issuerAfter(step);
  await waitUntil(
    async () => {
      const request = { path: '/livez', servername: 'kubernetes' };
      const { certificate } = await tlsProbe(effects.host(host), endpoint, request, context.signal);
      const right = isIssuedBy(certificate, run.pairs[which], who, new Date(context.now()));
      return { met: right, state: 'it presents a certificate of another one' };
    },
    {
      for: `${who} to present a certificate of the ${nameOf(which)} one`,
      deadlineMs: RELOAD_MS,
      intervalMs: 500,
      signal: context.signal,
    },
  );
}

const nameOf = (which: keyof Pairs) => (which === 'old' ? 'old' : 'new');
