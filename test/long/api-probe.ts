import { readFileSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { Agent, request } from 'undici';
import { parse } from 'yaml';
import type { E2eLab } from '../e2e/support.js';

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
  const kubeconfig = parse(readFileSync(lab.kubeconfig, 'utf8')) as {
    clusters: { cluster: Record<string, string> }[];
    users: { user: Record<string, string> }[];
  };
  const decoded = (text: string | undefined) => Buffer.from(text ?? '', 'base64');
  const cluster = kubeconfig.clusters[0]?.cluster;
  const user = kubeconfig.users[0]?.user;
  const server = cluster?.server ?? '';
  const tls = {
    ca: decoded(cluster?.['certificate-authority-data']),
    cert: decoded(user?.['client-certificate-data']),
    key: decoded(user?.['client-key-data']),
    servername: 'kubernetes',
  };
  const agent = new Agent({ connect: { ...tls, timeout: ANSWER_MS } });
  const streams = http2Client(server, tls);
  const clients = {
    'HTTP/1.1': async () => {
      const signal = AbortSignal.timeout(ANSWER_MS);
      const { statusCode, body } = await request(`${server}${PATH}`, { dispatcher: agent, signal });
      await body.dump();
      return statusCode;
    },
    'HTTP/2': streams.ask,
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

/** How often a request that was not begun is sent again. */
const AGAIN = 5;

/** Requests over one connection of HTTP/2; a new one where that goes away. */
function http2Client(server: string, tls: object): { ask: () => Promise<number>; close: () => void } {
  let current: ClientHttp2Session | undefined;
  const session = (): ClientHttp2Session => {
    if (current !== undefined && !current.closed && !current.destroyed) return current;
    const opened = connect(server, tls);
    opened.setMaxListeners(0);
    current = opened;
    const gone = () => {
      if (current === opened) current = undefined;
    };
    // What was begun goes on; what comes next goes elsewhere.
    opened.on('goaway', gone).on('error', gone).on('close', gone);
    return opened;
  };
  const once = () =>
    new Promise<number>((resolve, reject) => {
      const stream = session().request({ ':path': PATH });
      let status = 0;
      stream.setTimeout(ANSWER_MS, () => stream.destroy(new Error('no answer in time')));
      stream.on('response', (headers) => {
        status = Number(headers[':status']);
      });
      stream.on('error', reject).on('end', () => resolve(status));
      stream.on('close', () => reject(new Error('closed without an answer')));
      stream.resume();
    });
  const ask = async (tries = AGAIN): Promise<number> => {
    try {
      return await once();
    } catch (error) {
      const begun = !(error instanceof Error && /REFUSED_STREAM|GOAWAY/.test(error.message));
      if (begun || tries === 0) throw error;
      current = undefined;
      return ask(tries - 1);
    }
  };
  return { ask: () => ask(), close: () => current?.close() };
}
