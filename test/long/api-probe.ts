import { readFileSync } from 'node:fs';
import { Agent, request } from 'undici';
import { parse } from 'yaml';
import type { E2eLab } from '../e2e/support.js';

const PAUSE_MS = 100;
/** A request that takes longer counts as failed. */
const ANSWER_MS = 5_000;

export interface Probed {
  asked: number;
  /** When, since the probe began, and why. */
  failures: { atMs: number; why: string }[];
  longestMs: number;
}

export interface ApiProbe {
  stop: () => Promise<Probed>;
}

/** Reads an object through the cluster's endpoint, as its kubeconfig has it, every 100 ms, until it is stopped. */
export function startApiProbe(lab: E2eLab): ApiProbe {
  const kubeconfig = parse(readFileSync(lab.kubeconfig, 'utf8')) as {
    clusters: { cluster: Record<string, string> }[];
    users: { user: Record<string, string> }[];
  };
  const decoded = (text: string | undefined) => Buffer.from(text ?? '', 'base64');
  const cluster = kubeconfig.clusters[0]?.cluster;
  const user = kubeconfig.users[0]?.user;
  const agent = new Agent({
    connect: {
      ca: decoded(cluster?.['certificate-authority-data']),
      cert: decoded(user?.['client-certificate-data']),
      key: decoded(user?.['client-key-data']),
      servername: 'kubernetes',
      timeout: ANSWER_MS,
    },
  });
  const began = performance.now();
  const failures: Probed['failures'] = [];
  const pending = new Set<Promise<void>>();
  let asked = 0;
  let longestMs = 0;
  const ask = async (): Promise<void> => {
    const from = performance.now();
    try {
      const { statusCode, body } = await request(`${cluster?.server}/api/v1/namespaces/default`, {
        dispatcher: agent,
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      await body.dump();
      if (statusCode !== 200) failures.push({ atMs: Math.round(from - began), why: `status ${statusCode}` });
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      failures.push({ atMs: Math.round(from - began), why: cause });
    }
    longestMs = Math.max(longestMs, Math.round(performance.now() - from));
  };
  const timer = setInterval(() => {
    asked += 1;
    const one = ask().finally(() => pending.delete(one));
    pending.add(one);
  }, PAUSE_MS);
  return {
    stop: async () => {
      clearInterval(timer);
      await Promise.all(pending);
      await agent.close();
      return { asked, failures, longestMs };
    },
  };
}
