import type { KubeObject } from '../cluster/client.js';
import { presentedChain } from '../cluster/presented.js';
import { KeelsonError, toKeelsonError } from '../errors/keelson-error.js';
import type { HostReader } from '../host/types.js';
import { descendsFrom, inspectBundle } from '../pki/inspect.js';
import { toPem } from '../pki/pem.js';
import { canonicalIp } from '../pki/san.js';
import { certificatePaths } from '../pki/table.js';
import type { PhaseContext } from './context.js';

interface Node extends KubeObject {
  status?: {
    addresses?: { type: string; address: string }[];
    daemonEndpoints?: { kubeletEndpoint?: { Port?: number } };
  };
}

/**
 * Nodes whose kubelet an API server on `hostName` would not take for them: each is asked for its certificate in a
 * handshake, at the address where API servers ask for it. One clause each; a node that does not answer is one.
 */
export async function uncheckedKubelets(context: PhaseContext, hostName: string): Promise<string[]> {
  const client = context.api();
  if (client === null) throw new KeelsonError('BUG', 'there is no API to ask for nodes');
  const reader = context.reader(hostName);
  const { cert } = certificatePaths(context.config.cluster, { baseName: 'ca' });
  const { files } = await reader.read({ files: [cert] });
  const roots = inspectBundle(files.get(cert)?.content?.toString() ?? '', cert);
  const nodes = (await client.list('/api/v1/nodes')) as Node[];
  const now = new Date(context.now());
  const found = await Promise.all(
    nodes.map(async (node) => {
      const why = await faultOf(node, reader, roots, now, context.signal);
      return why === null ? [] : [`${node.metadata.name} ${why}`];
    }),
  );
  return found.flat();
}

async function faultOf(
  { status }: Node,
  reader: HostReader,
  roots: ReturnType<typeof inspectBundle>,
  now: Date,
  signal: AbortSignal,
): Promise<string | null> {
  const { addresses = [], daemonEndpoints } = status ?? {};
  // kubeadm has API servers prefer this type, as keelson does.
  const address = addresses.find(({ type }) => type === 'InternalIP')?.address;
  const port = daemonEndpoints?.kubeletEndpoint?.Port ?? 0;
  if (address === undefined || port === 0) return 'does not say where its kubelet is';
  try {
    const chain = await presentedChain(reader, { address, port }, signal);
    const pem = chain.map((der) => toPem(der, 'CERTIFICATE')).join('');
    const [leaf, ...intermediates] = inspectBundle(pem, 'the kubelet’s certificate');
    if (!descendsFrom(leaf, intermediates, roots, now)) return 'shows a certificate of another authority';
    return leaf.sans.ips.includes(canonicalIp(address) ?? address)
      ? null
      : `shows one that is not for ${address}`;
  } catch (error) {
    signal.throwIfAborted();
    return `shows none: ${toKeelsonError(error).message}`;
  }
}
