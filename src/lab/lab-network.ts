import { type Document, parseAllDocuments } from 'yaml';
import { KeelsonError } from '../errors/keelson-error.js';
import type { LabNetwork, LabProxyMode } from './types.js';

const HINT =
  'flannel:vxlan, flannel:host-gw, flannel:wireguard, calico:bgp, calico:ipip, calico:vxlan, calico:mixed or none; flannel also with +direct (vxlan) and +nftables';

const CALICO_MODES = ['bgp', 'ipip', 'vxlan', 'mixed'];

/** The one name that a lab machine's interface has. */
const LAB_INTERFACE = '^host0$';

const BACKENDS = ['vxlan', 'host-gw', 'wireguard'];

/** What may follow the backend, and the field that it sets. */
const EXTRAS: Readonly<Record<string, string>> = { direct: 'directRouting', nftables: 'nftables' };

/**
 * `spec.network` from its shorthand: `flannel:vxlan+direct`.
 * @param calicoManifest Calico's published manifest, an absolute path; needed for calico
 * @throws USAGE
 */
export function parseLabNetwork(text: string, calicoManifest?: string): LabNetwork {
  const unknown = (what: string) => new KeelsonError('USAGE', `--network ${text}: ${what}`, { hint: HINT });
  const [plugin = '', rest] = text.split(/:(.*)/);
  if (plugin === 'none' && rest === undefined) return { plugin };
  if (plugin === 'calico') {
    const mode = rest ?? 'vxlan';
    if (!CALICO_MODES.includes(mode)) throw unknown(`calico has no mode ${mode}`);
    if (calicoManifest === undefined) throw unknown('give --calico-manifest, the calico.yaml of a release');
    const manifest = { file: calicoManifest };
    return { plugin, calico: { manifest, mode, mtuInterfacePattern: LAB_INTERFACE } };
  }
  if (plugin !== 'flannel') throw unknown(`there is no ${plugin}`);
  const [backend = '', ...extras] = (rest ?? 'vxlan').split('+');
  if (!BACKENDS.includes(backend)) throw unknown(`flannel has no backend ${backend}`);
  const fields = extras.map((extra) => {
    const field = EXTRAS[extra];
    if (field === undefined) throw unknown(`${extra} is nothing to add`);
    return [field, true] as const;
  });
  return { plugin, backend, ...Object.fromEntries(fields) };
}

export interface NetworkChoice {
  network?: LabNetwork | undefined;
  proxyMode?: LabProxyMode | undefined;
}

/**
 * A cluster file's text with that network and that mode of kube-proxy in place of those it has; comments and all
 * else stay. The same text where nothing has to change, and where it is no cluster file that can be read: whoever
 * loads it says what is wrong, with the line.
 */
export function withNetwork(text: string, { network, proxyMode }: NetworkChoice): string {
  const documents = parseAllDocuments(text);
  if (!Array.isArray(documents) || documents.some((document) => document.errors.length > 0)) return text;
  const named = (kind: string) =>
    documents.find((document) => document.get('kind') === kind) as Document | undefined;
  const cluster = named('Cluster');
  const proxy = named('KubeProxyConfiguration');
  let changed = false;
  const before = (cluster?.toJS() as { spec?: { network?: unknown } } | undefined)?.spec?.network;
  if (cluster !== undefined && network !== undefined && JSON.stringify(before) !== JSON.stringify(network)) {
    cluster.setIn(['spec', 'network'], cluster.createNode(network));
    changed = true;
  }
  if (proxy !== undefined && proxyMode !== undefined && proxy.get('mode') !== proxyMode) {
    proxy.set('mode', proxyMode);
    changed = true;
  }
  return changed ? documents.map(String).join('') : text;
}
