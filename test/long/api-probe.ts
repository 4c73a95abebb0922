import { Agent, request } from 'undici';
import type { E2eLab } from '../e2e/support.js';
import { apiClient, identityIn } from './api-client.js';

const PAUSE_MS = 100;
/** A request that takes longer counts as failed. */
const ANSWER_MS = 5_000;
const PATH = '/api/v1/namespaces/default';

interface Probed {
  asked: number;
  /** When, since the probe began, by which client, and why. */
  failures: { atMs: number; client: string; why: string }[];
  longestMs: number;
}

export interface ApiProbe {
  stop: () => Promise<Probed>;
}

/**
 * Reads an object through the cluster's endpoint, as its kubeconfig has it, every 100 ms by each of two clients, until
 * it is stopped: one speaks HTTP/2 as kubectl and everything else made with client-go does, and like it sends again what
 * a server says that it has not begun; the other keeps connections of HTTP/1.1 and sends nothing again.
 */
export function startApiProbe(lab: E2eLab): ApiProbe {
  const { server, ...identity } = identityIn(lab.kubeconfig);
  const tls = { ...identity, servername: 'kubernetes' };
  const agent = new Agent({ connect: { ...tls, timeout: ANSWER_MS } });
  const streams = apiClient(lab.kubeconfig);
  const clients = {
    'HTTP/1.1': async () => {
      const signal = AbortSignal.timeout(ANSWER_MS);
      const { statusCode, body } = await request(`${server}${PATH}`, { dispatcher: agent, signal });
      await body.dump();
      return statusCode;
    },
    'HTTP/2': async () => (await streams.ask('GET', PATH)).status,
  };
  const began = performance.now();
  const failures: Probed['failures'] = [];
  const pending = new Set<Promise<void>>();
  let asked = 0;
  let longestMs = 0;
  const ask = async (client: string, send: () => Promise<number>): Promise<void> => {
    const from = performance.now();
    const failed = (why: string) => failures.push({ atMs: Math.round(from - began), client, why });
    try {
      const status = await send();
      if (status !== 200) failed(`status ${status}`);
    } catch (error) {
      failed(error instanceof Error ? error.message : String(error));
    }
    longestMs = Math.max(longestMs, Math.round(performance.now() - from));
  };
  const timer = setInterval(() => {
    for (const [client, send] of Object.entries(clients)) {
      asked += 1;
      const one = ask(client, send).finally(() => pending.delete(one));
      pending.add(one);
    }
  }, PAUSE_MS);
  return {
    stop: async () => {
      clearInterval(timer);
      await Promise.all(pending);
      streams.close();
      await agent.close();
      return { asked, failures, longestMs };
    },
  };
}
