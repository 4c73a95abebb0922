import type { ClusterClient } from '../../cluster/client.js';
import type { ResolvedHost } from '../../config/types.js';
import { KeelsonError } from '../../errors/keelson-error.js';
import type { HostReader } from '../../host/types.js';
import { PROBE_HEADLESS, PROBE_PORT, PROBE_SERVICE } from '../../manifests/probe.js';
import { type Ask, type Patience, settle } from './ask.js';
import type { CheckName, CheckRow } from './checks.js';
import {
  type DialOutcome,
  type HttpAnswer,
  judgeAll,
  judgeName,
  judgeReached,
  judgeService,
  readDial,
  type Verdict,
} from './judge.js';
import type { ProbePod } from './pods.js';
import type { Probe } from './probe.js';

/** The pods give a connection 5 s, and resolvers some more. */
const DIAL_TIMEOUT_MS = 12_000;
const PATH_TIMEOUT_MS = 5000;
/** Milliseconds that checks of a service give kube-proxy to hear of it before they begin. */
const SERVICE_KNOWN_MS = 3000;
/** Connections of one round to a service: two a pod, at most this; rounds go on until enough pods were met. */
const SERVICE_TRIES_LIMIT = 15;
/** Different pods that every node has to meet through a service; all of them where they are fewer. */
const SERVICE_PODS_LIMIT = 8;
/** Connections of one round to a node port: one alone may find the only pod that can be reached. */
const NODE_PORT_TRIES = 3;

export interface NetworkChecks {
  probe: Probe;
  ask: Ask;
  patience: Patience;
  /** Connection to a host in the inventory. */
  host: (name: string) => HostReader;
  /** Domain of cluster names, for example `cluster.local`. */
  dnsDomain: string;
  /** Addresses of the service `kubernetes`. */
  kubernetesService: readonly string[];
  /** Clients of all control planes' API servers, by host. */
  apis: ReadonlyMap<string, ClusterClient>;
  /** See `serviceGate`. */
  serviceKnown: (host: string) => Promise<void>;
}

/**
 * Resolves once a host's own node port answers, or after a short time. A connection to a service that its node does
 * not know yet is lost for good, since the kernel keeps its first packet's way; a node port refuses at once instead.
 */
export function serviceGate(
  checks: Pick<NetworkChecks, 'probe' | 'ask' | 'host' | 'patience'>,
): NetworkChecks['serviceKnown'] {
  const gates = new Map<string, Promise<void>>();
  const wait = async (name: string) => {
    const { nodeIP: address = '' } = checks.probe.hosts.find((host) => host.name === name) ?? {};
    const target = { address, port: checks.probe.service.nodePort, path: '/hostname' };
    const until = Math.min(checks.patience.until, Date.now() + SERVICE_KNOWN_MS);
    const place = { check: 'node-port', from: name, to: name } as const;
    await settle(place, { signal: checks.patience.signal, until }, async () => {
      const { status } = await checks.ask(checks.host(name), target, 1000);
      return { passed: status === 200, detail: '' };
    });
  };
  return (name) => {
    const gate = gates.get(name) ?? wait(name);
    gates.set(name, gate);
    return gate;
  };
}

interface Destination {
  host: string;
  port: number;
  /** Path without its leading slash. */
  request: string;
  tries: number;
}

/** Has a probe pod connect somewhere, asked by the host that it runs on: nothing else is on that way. */
export async function dial(
  checks: Pick<NetworkChecks, 'ask' | 'host'>,
  pod: ProbePod,
  to: Destination,
): Promise<DialOutcome> {
  const query = new URLSearchParams({
    host: to.host,
    port: String(to.port),
    protocol: 'http',
    request: to.request,
    tries: String(to.tries),
  });
  const timeoutMs = DIAL_TIMEOUT_MS + (to.tries - 1) * 1000;
  try {
    const target = { address: pod.address, port: PROBE_PORT, path: `/dial?${query.toString()}` };
    return readDial(await checks.ask(checks.host(pod.host), target, timeoutMs));
  } catch (error) {
    if (!(error instanceof KeelsonError) || error.code !== 'CONNECTION') throw error;
    return { responses: [], errors: [`the probe pod gave no report: ${error.message}`], lookup: null };
  }
}

const byHost = (probe: Probe) => new Map([...probe.pods.values()].map((pod) => [pod.name, pod.host]));

/** One attempt at each address, all at once. */
async function atEach(
  addresses: readonly string[],
  attempt: (address: string) => Promise<Verdict>,
): Promise<Verdict> {
  return judgeAll(
    await Promise.all(addresses.map(async (address) => ({ address, verdict: await attempt(address) }))),
  );
}

export function podToPod(checks: NetworkChecks): Promise<CheckRow[]> {
  const pods = [...checks.probe.pods.values()];
  return Promise.all(
    pods.flatMap((from) =>
      pods.map((to) =>
        settle({ check: 'pod-to-pod', from: from.host, to: to.host }, checks.patience, () =>
          atEach(to.addresses, async (host) =>
            judgeReached(
              await dial(checks, from, { host, port: PROBE_PORT, request: 'hostname', tries: 1 }),
              to.name,
            ),
          ),
        ),
      ),
    ),
  );
}

export function apiToPod(checks: NetworkChecks): Promise<CheckRow[]> {
  const { namespace } = checks.probe.settings;
  return Promise.all(
    [...checks.apis].flatMap(([from, client]) =>
      [...checks.probe.pods.values()].map((to) =>
        settle({ check: 'api-to-pod', from, to: to.host }, checks.patience, async (): Promise<Verdict> => {
          const path = `/api/v1/namespaces/${namespace}/pods/${to.name}:${PROBE_PORT}/proxy/hostname`;
          try {
            const { body } = await client.request('GET', path, { timeoutMs: PATH_TIMEOUT_MS });
            return judgeReached({ responses: [String(body)], errors: [], lookup: null }, to.name);
          } catch (error) {
            if (!(error instanceof KeelsonError) || error.code !== 'CONNECTION') throw error;
            return { passed: false, detail: 'the API server got no answer from the pod' };
          }
        }),
      ),
    ),
  );
}

export function clusterIp(checks: NetworkChecks): Promise<CheckRow[]> {
  const { probe } = checks;
  const known = byHost(probe);
  const tries = Math.min(SERVICE_TRIES_LIMIT, 2 * known.size);
  const need = Math.min(SERVICE_PODS_LIMIT, known.size);
  return Promise.all(
    [...probe.pods.values()].flatMap((from) =>
      probe.service.clusterIPs.map(async (host) => {
        const met = new Set<string>();
        const to = { host, port: PROBE_PORT, request: 'hostname', tries };
        await checks.serviceKnown(from.host);
        return settle({ check: 'cluster-ip', from: from.host, to: host }, checks.patience, async () =>
          judgeService(await dial(checks, from, to), known, met, need),
        );
      }),
    ),
  );
}

export function nodePort(checks: NetworkChecks): Promise<CheckRow[]> {
  const { probe } = checks;
  const known = byHost(probe);
  return Promise.all(
    probe.hosts.flatMap((from) =>
      probe.hosts.map((to) => {
        const addresses = [to.nodeIP, ...(to.secondaryNodeIP === undefined ? [] : [to.secondaryNodeIP])];
        return settle({ check: 'node-port', from: from.name, to: to.name }, checks.patience, () =>
          atEach(addresses, async (address) => {
            const target = { address, port: probe.service.nodePort, path: '/hostname' };
            const tries = Array.from({ length: NODE_PORT_TRIES }, () =>
              checks.ask(checks.host(from.name), target, PATH_TIMEOUT_MS),
            );
            return judgeService(outcomeOf(await Promise.allSettled(tries)), known, new Set(), 1);
          }),
        );
      }),
    ),
  );
}

function outcomeOf(answers: readonly PromiseSettledResult<HttpAnswer>[]): DialOutcome {
  const failures = answers.filter((answer) => answer.status === 'rejected');
  return {
    responses: answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value.body] : [])),
    errors: failures.map(({ reason }) => (reason instanceof Error ? reason.message : String(reason))),
    lookup: null,
  };
}

interface Name {
  name: string;
  port: number;
  addresses: readonly string[];
  proof: (body: string) => boolean;
}

/** What every node has to resolve: a service by its full and its short name, another namespace's, a pod twice. */
function namesFor(checks: NetworkChecks, peer: ProbePod): Name[] {
  const { probe, dnsDomain } = checks;
  const { namespace } = probe.settings;
  const known = byHost(probe);
  const dashed = peer.address.replaceAll(/[.:]/g, '-');
  const service = {
    port: PROBE_PORT,
    addresses: probe.service.clusterIPs,
    proof: (body: string) => known.has(body),
  };
  const pod = { port: PROBE_PORT, addresses: peer.addresses, proof: (body: string) => body === peer.name };
  return [
    // The dot at the end keeps resolvers from trying their search list first.
    { name: `${PROBE_SERVICE}.${namespace}.svc.${dnsDomain}.`, ...service },
    { name: PROBE_SERVICE, ...service },
    {
      name: 'kubernetes.default',
      port: 443,
      addresses: checks.kubernetesService,
      proof: (body: string) => body.includes('HTTPS server'),
    },
    { name: `${dashed}.${PROBE_HEADLESS}.${namespace}.svc.${dnsDomain}.`, ...pod },
    { name: `${dashed}.${namespace}.pod.${dnsDomain}.`, ...pod },
  ];
}

export function dns(checks: NetworkChecks): Promise<CheckRow[]> {
  const pods = [...checks.probe.pods.values()];
  return Promise.all(
    pods.flatMap((from, index) =>
      namesFor(checks, pods[(index + 1) % pods.length] ?? from).map(async (wanted) => {
        await checks.serviceKnown(from.host);
        return settle({ check: 'dns', from: from.host, to: wanted.name }, checks.patience, async () =>
          judgeName(
            await dial(checks, from, { host: wanted.name, port: wanted.port, request: 'hostname', tries: 1 }),
            wanted.addresses,
            wanted.proof,
          ),
        );
      }),
    ),
  );
}

/** What can't be tried for want of a probe pod, once a host; the missing pod is a failure of its own. */
export function podless(probe: Probe, check: CheckName, hosts: readonly ResolvedHost[]): CheckRow[] {
  return hosts
    .filter((host) => !probe.pods.has(host.name))
    .map((host) => ({
      check,
      from: '',
      to: host.name,
      result: 'skipped',
      durationMs: 0,
      detail: 'no probe pod runs there',
    }));
}
