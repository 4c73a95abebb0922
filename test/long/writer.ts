import { readFileSync, statSync } from 'node:fs';
import { Agent, request } from 'undici';
import { parse } from 'yaml';
import type { E2eLab } from '../e2e/support.js';
import { succeed } from '../e2e/support.js';

/** Milliseconds until a write counts as failed: its outcome is unknown then. */
const WRITE_MS = 3000;
const PAUSE_MS = 100;
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';

export interface Written {
  /** Names of the ConfigMaps whose creation the API acknowledged. */
  acknowledged: string[];
  /** Writes that failed, or whose outcome is unknown. */
  failed: number;
  /** Longest time between two acknowledgements, or since the last one, milliseconds. */
  longestGapMs: number;
}

export interface Writer {
  /** Resolves with the next acknowledgement of a write that began after this call. */
  next: (deadlineMs: number) => Promise<number>;
  /** Acknowledged writes so far. */
  count: () => number;
  /** Failed ones so far. */
  failed: () => number;
  stop: () => Promise<Written>;
}

/** The admin's client of every API server of a lab, the control planes' own addresses. */
async function apiServers(lab: E2eLab): Promise<{ agent: Agent; servers: string[] }> {
  const status = JSON.parse(await succeed('lab', 'status', '--name', lab.name, '-o', 'json')) as {
    nodes: { role: string; address: string }[];
  };
  const servers = status.nodes
    .filter((node) => node.role === 'control-plane')
    .map((node) => `https://${node.address}:6443`);
  return { agent: agentOf(lab), servers };
}

/** Connections with the identity that the lab's kubeconfig has now. */
function agentOf(lab: E2eLab): Agent {
  const kubeconfig = parse(readFileSync(lab.kubeconfig, 'utf8')) as {
    clusters: { cluster: Record<string, string> }[];
    users: { user: Record<string, string> }[];
  };
  const decoded = (text: string | undefined) => Buffer.from(text ?? '', 'base64');
  const user = kubeconfig.users[0]?.user;
  return new Agent({
    connect: {
      ca: decoded(kubeconfig.clusters[0]?.cluster['certificate-authority-data']),
      cert: decoded(user?.['client-certificate-data']),
      key: decoded(user?.['client-key-data']),
      timeout: WRITE_MS,
    },
  });
}

/**
 * Creates ConfigMaps with a counter in their names, one after the other, through whichever API server answers,
 * until it is stopped. A kubeconfig that changes meanwhile is read again.
 */
export async function startWriter(lab: E2eLab, prefix: string): Promise<Writer> {
  const found = await apiServers(lab);
  const { servers } = found;
  let { agent } = found;
  const changed = () => statSync(lab.kubeconfig).mtimeMs;
  let readAt = changed();
  const acknowledged: string[] = [];
  let failed = 0;
  const began = performance.now();
  let last = began;
  let longestGapMs = 0;
  let stopped = false;
  let current = 0;

  const write = async (name: string): Promise<boolean> => {
    try {
      const { statusCode, body } = await request(`${servers[current % servers.length]}${CONFIG_MAPS}`, {
        method: 'POST',
        dispatcher: agent,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name, labels: { writer: prefix } },
        }),
        signal: AbortSignal.timeout(WRITE_MS),
      });
      await body.dump();
      return statusCode === 201;
    } catch {
      return false;
    }
  };
  const loop = (async () => {
    for (let count = 0; !stopped; count += 1) {
      const name = `${prefix}-${count}`;
      if (changed() !== readAt) {
        readAt = changed();
        await agent.close();
        agent = agentOf(lab);
      }
      if (await write(name)) {
        acknowledged.push(name);
        const now = performance.now();
        longestGapMs = Math.max(longestGapMs, now - last);
        last = now;
      } else {
        failed += 1;
        current += 1;
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  })();

  return {
    count: () => acknowledged.length,
    failed: () => failed,
    next: async (deadlineMs) => {
      const from = performance.now();
      // The one under way may have begun before.
      const wanted = acknowledged.length + 2;
      while (acknowledged.length < wanted) {
        if (performance.now() - from > deadlineMs)
          throw new Error(`no write was acknowledged within ${deadlineMs} ms`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      return performance.now() - from;
    },
    stop: async () => {
      stopped = true;
      await loop;
      await agent.close();
      return {
        acknowledged,
        failed,
        longestGapMs: Math.round(Math.max(longestGapMs, performance.now() - last)),
      };
    },
  };
}

/** Acknowledged writes that the cluster does not have. */
export async function lostWrites(lab: E2eLab, prefix: string, written: Written): Promise<string[]> {
  const { agent, servers } = await apiServers(lab);
  const { body } = await request(`${servers[0]}${CONFIG_MAPS}?labelSelector=writer%3D${prefix}`, {
    dispatcher: agent,
  });
  const { items } = (await body.json()) as { items: { metadata: { name: string } }[] };
  await agent.close();
  const present = new Set(items.map((item) => item.metadata.name));
  return written.acknowledged.filter((name) => !present.has(name));
}
