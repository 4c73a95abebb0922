import { join } from 'node:path';
import { execa } from 'execa';
import { expect } from 'vitest';
import { stringify } from 'yaml';
import { type E2eLab, keelson, kubectl, onNode, succeed, WORK } from '../e2e/support.js';
import { type ApiClient, apiClient } from './api-client.js';

/** Where all of the load is. */
export const LOAD = 'load';
const PORT = 8080;
const READ_MS = 100;
const WRITE_MS = 100;
const LIST_MS = 500;
const EXEC_MS = 3_000;
const POD_MS = 5_000;
/** Until a pod that was created has to be Ready, milliseconds. */
const POD_READY_MS = 60_000;

export interface Tally {
  asked: number;
  /** When, since the load began, and why. */
  failures: { atMs: number; why: string }[];
  longestMs: number;
}

export interface Loaded {
  /** Requests to the API: reads, lists, writes. */
  api: Record<'read' | 'list' | 'write', Tally>;
  exec: Tally;
  pods: Tally;
  /** Requests from pods to pods and to the Service, by the pods that sent them. */
  traffic: { from: string; ok: number; failed: string[] }[];
  /** Names of the ConfigMaps whose creation was acknowledged and that are not there. */
  lost: string[];
  acknowledged: number;
}

export interface Load {
  stop: () => Promise<Loaded>;
}

/** A container of agnhost that asks for next to nothing. */
export const agnhost = (image: string, command: string[]) => ({
  name: 'main',
  image,
  imagePullPolicy: 'Never',
  command,
  resources: { requests: { cpu: '5m' } },
});

const POD = { automountServiceAccountToken: false, terminationGracePeriodSeconds: 1 };

function objects(image: string): object[] {
  const metadata = (name: string) => ({ name, namespace: LOAD });
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: LOAD } },
    {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: metadata('echo'),
      spec: {
        selector: { matchLabels: { app: 'echo' } },
        template: {
          metadata: { labels: { app: 'echo' } },
          spec: {
            ...POD,
            tolerations: [{ operator: 'Exists' }],
            containers: [
              {
                ...agnhost(image, ['/agnhost', 'netexec', `--http-port=${PORT}`, '--udp-port=-1']),
                readinessProbe: { httpGet: { path: '/hostname', port: PORT }, periodSeconds: 2 },
              },
            ],
          },
        },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: metadata('echo'),
      spec: { selector: { app: 'echo' }, ports: [{ port: PORT }] },
    },
  ];
}

const STOP = '/run/load-stop';

/**
 * Has a pod ask every address in turn, a few times a second, from its own node; says what failed at once, and at its
 * end how often it went well. (agnhost's /dial asks; busybox's wget can't be linked statically and look up names.)
 */
const askingScript = (pod: string, addresses: readonly string[]) => `n=0
rm -f ${STOP}
while [ ! -e ${STOP} ]; do
  for to in ${addresses.join(' ')}; do
    answer=$(curl -s -m 10 "http://${pod}:${PORT}/dial?host=$to&port=${PORT}&request=hostname&protocol=http&tries=1")
    case "$answer" in
      *errors*|"") echo "failed $to $(date -u +%T) $answer" ;;
      *) n=$((n+1)) ;;
    esac
    sleep 0.2
  done
done
echo "ok $n"`;

interface EchoPod {
  metadata: { name: string };
  spec: { nodeName: string };
  status: { podIP: string };
}

const text = (all: readonly object[]) => all.map((object) => stringify(object)).join('---\n');

export async function applyObjects(lab: E2eLab, all: readonly object[]): Promise<void> {
  await execa(
    join(WORK, '.keelson', 'bin', 'kubectl'),
    ['--kubeconfig', lab.kubeconfig, 'apply', '-f', '-'],
    { input: text(all) },
  );
}

/** Kubelets tell of new images every ten seconds. */
const IMAGE_MS = 60_000;

/** The image that `keelson verify` uses, which brings it to every node. */
export async function imageOf(lab: E2eLab): Promise<string> {
  await succeed('verify', '-c', lab.clusterFile);
  const names = () => kubectl(lab, 'get', 'nodes', '-o', 'jsonpath={.items[*].status.images[*].names}');
  const found = async () => /[\w./-]+\/agnhost:[\w.]+/.exec(await names())?.[0] ?? '';
  await expect.poll(found, { timeout: IMAGE_MS, interval: 1000 }).not.toBe('');
  return found();
}

/**
 * Reads, lists and writes through the endpoint that the lab's kubeconfig names, execs, pods that are made and deleted, and
 * pods that ask pods and a Service, until it is stopped.
 * @param clients nodes whose pods ask
 */
export async function startLoad(lab: E2eLab, clients: readonly string[]): Promise<Load> {
  const image = await imageOf(lab);
  await applyObjects(lab, objects(image));
  await kubectl(lab, '-n', LOAD, 'rollout', 'status', 'daemonset/echo', '--timeout=120s');
  const get = (what: string, path: string) => kubectl(lab, '-n', LOAD, 'get', what, '-o', `jsonpath=${path}`);
  const service = await get('service/echo', '{.spec.clusterIP}');
  const pods = JSON.parse(await kubectl(lab, '-n', LOAD, 'get', 'pods', '-l', 'app=echo', '-o', 'json')) as {
    items: EchoPod[];
  };
  const addresses = [...pods.items.map(({ status }) => status.podIP), service];
  const asking = clients.map((node) => {
    const pod = pods.items.find(({ spec }) => spec.nodeName === node);
    if (pod === undefined) throw new Error(`no pod on ${node}`);
    const script = askingScript(pod.status.podIP, addresses);
    const { name } = pod.metadata;
    const ssh = ['lab', 'ssh', node, '--name', lab.name, '--', 'sh', '-c', script];
    return { node, name, done: keelson(ssh, { timeoutMs: 3_600_000 }) };
  });

  const api = apiClient(lab.kubeconfig);
  const began = performance.now();
  const stopped = new AbortController();
  const tallies = () => ({ asked: 0, failures: [], longestMs: 0 }) as Tally;
  const loaded = {
    read: tallies(),
    list: tallies(),
    write: tallies(),
    exec: tallies(),
    pods: tallies(),
  };
  const acknowledged: string[] = [];
  const pending = new Set<Promise<void>>();
  const one = async (tally: Tally, work: () => Promise<void>): Promise<void> => {
    const from = performance.now();
    tally.asked += 1;
    try {
      await work();
    } catch (error) {
      const why = error instanceof Error ? error.message.slice(0, 300) : String(error);
      tally.failures.push({ atMs: Math.round(from - began), why });
    }
    tally.longestMs = Math.max(tally.longestMs, Math.round(performance.now() - from));
  };
  const every = (ms: number, tally: Tally, work: (count: number) => Promise<void>) => {
    let count = 0;
    const timer = setInterval(() => {
      const running = one(tally, () => work(count++)).finally(() => pending.delete(running));
      pending.add(running);
    }, ms);
    stopped.signal.addEventListener('abort', () => clearInterval(timer));
  };
  const expecting = async (status: number, answer: ReturnType<ApiClient['ask']>) => {
    const { status: found, body } = await answer;
    if (found !== status) throw new Error(`status ${found}: ${body.slice(0, 200)}`);
    return body;
  };
  const at = (path: string) => `/api/v1/namespaces/${LOAD}/${path}`;
  every(READ_MS, loaded.read, async () => {
    await expecting(200, api.ask('GET', '/api/v1/namespaces/default'));
  });
  every(LIST_MS, loaded.list, async () => {
    await expecting(200, api.ask('GET', at('pods')));
  });
  every(WRITE_MS, loaded.write, async (count) => {
    const name = `write-${count}`;
    const metadata = { name, labels: { writer: LOAD } };
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata };
    await expecting(201, api.ask('POST', at('configmaps'), body));
    acknowledged.push(name);
  });
  every(EXEC_MS, loaded.exec, async (count) => {
    const pod = asking[count % asking.length]?.name ?? '';
    await kubectl(lab, '-n', LOAD, 'exec', pod, '--', 'true');
  });
  every(POD_MS, loaded.pods, async (count) => {
    const name = `made-${count}`;
    const body = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: LOAD },
      spec: { ...POD, containers: [agnhost(image, ['/agnhost', 'pause'])] },
    };
    await expecting(201, api.ask('POST', at('pods'), body));
    await kubectl(
      lab,
      '-n',
      LOAD,
      'wait',
      `pod/${name}`,
      '--for=condition=Ready',
      `--timeout=${POD_READY_MS / 1000}s`,
    );
    await expecting(200, api.ask('DELETE', at(`pods/${name}`)));
  });

  return {
    stop: async () => {
      stopped.abort();
      await Promise.all(pending);
      api.close();
      const traffic = await Promise.all(
        asking.map(async ({ node, done }) => {
          await onNode(lab, node, `touch ${STOP}`);
          const log = (await done).stdout.split('\n');
          const ok = Number(log.find((line) => line.startsWith('ok '))?.slice(3) ?? 0);
          return { from: node, ok, failed: log.filter((line) => line.startsWith('failed')) };
        }),
      );
      const there = new Set((await get('configmaps', '{.items[*].metadata.name}')).split(' '));
      const { exec, pods: made, ...requests } = loaded;
      return {
        api: requests,
        exec,
        pods: made,
        traffic,
        lost: acknowledged.filter((name) => !there.has(name)),
        acknowledged: acknowledged.length,
      };
    },
  };
}

/** Share of requests to the API that failed, execs and pods that were made among them. */
export function failedShare({ api, exec, pods }: Loaded): number {
  const all = [...Object.values(api), exec, pods];
  const asked = all.reduce((sum, tally) => sum + tally.asked, 0);
  return all.reduce((sum, tally) => sum + tally.failures.length, 0) / asked;
}
