// Looks from outside when a cluster is there; the same for whatever installs it.
import { setTimeout as delay } from 'node:timers/promises';
import { parse } from 'yaml';
import { built } from './dist.mjs';
import { resolves } from './dns.mjs';

const POLL_MS = 100;
const LIMIT_MS = 15 * 60_000;
const ADMIN_CONF = '/etc/kubernetes/admin.conf';

/**
 * A watcher of the cluster that is to come, with a connection of its own to the first control plane.
 * `watch(since, signal)` resolves, with milliseconds since `since`, once all nodes are Ready and CoreDNS answers.
 */
export async function openWatcher(config) {
  const [{ connectAll }, { clusterClient }, { dnsServiceIP }] = await Promise.all([
    built('host/pool.js'),
    built('cluster/client.js'),
    built('manifests/addresses.js'),
  ]);
  const first = config.hosts.find((host) => host.role === 'control-plane');
  const host = (await connectAll([first])).get(first.name);
  const { advertiseAddress: address, bindPort: port } = first.localAPIEndpoint;
  const dns = dnsServiceIP(config.cluster.networking.serviceSubnet);

  const watch = async (since, signal) => {
    const seen = {};
    const reached = (milestone) => {
      seen[milestone] ??= Math.round(performance.now() - since);
    };
    const client = clusterClient(
      host,
      { address, port },
      await credentials(host, address, port, signal),
      signal,
    );
    try {
      for (;;) {
        signal.throwIfAborted();
        if (performance.now() - since > LIMIT_MS) throw new Error(`no end; reached ${JSON.stringify(seen)}`);
        const next = delay(POLL_MS);
        await look({ client, host, dns, expected: config.hosts.length, seen, reached });
        if (seen.ready !== undefined && seen.dns !== undefined) {
          return { ...seen, done: Math.max(seen.ready, seen.dns) };
        }
        await next;
      }
    } finally {
      await client.close();
    }
  };
  return { watch, close: () => host.close() };
}

async function look({ client, host, dns, expected, seen, reached }) {
  const items = (path) => client.list(path).catch(() => []);
  if (seen.api === undefined) {
    if ((await client.request('GET', '/readyz').catch(() => null)) === null) return;
    reached('api');
  }
  if (seen.ready === undefined) {
    const nodes = await items('/api/v1/nodes?resourceVersion=0');
    if (nodes.length === expected) reached('joined');
    if (nodes.filter(isReady).length === expected) reached('ready');
  }
  if (seen.dns === undefined) {
    // An address without endpoints may lead out of the lab; it is only tried when there is someone to answer.
    const slices = await items(
      '/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices?labelSelector=kubernetes.io/service-name%3Dkube-dns',
    );
    const serving = slices.some((slice) => slice.endpoints?.some((endpoint) => endpoint.conditions?.ready));
    if (serving && (await resolves(host, dns, 'kubernetes.default.svc.cluster.local'))) reached('dns');
  }
}

const isReady = (node) =>
  node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;

/** The admin identity, once something listens at the API's port: until then no command is run on the host. */
async function credentials(host, address, port, signal) {
  for (;;) {
    signal.throwIfAborted();
    const next = delay(POLL_MS);
    const listening = await host.forward(address, port).then(
      (stream) => {
        stream.on('error', () => undefined);
        stream.destroy();
        return true;
      },
      () => false,
    );
    if (listening) {
      const { files } = await host.read({ files: [ADMIN_CONF] });
      const text = files.get(ADMIN_CONF)?.content?.toString();
      if (text) {
        const { clusters, users } = parse(text);
        const pem = (data) => Buffer.from(data, 'base64').toString();
        return {
          ca: pem(clusters[0].cluster['certificate-authority-data']),
          cert: pem(users[0].user['client-certificate-data']),
          key: pem(users[0].user['client-key-data']),
        };
      }
    }
    await next;
  }
}
