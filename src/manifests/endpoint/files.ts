import type { ClusterConfig, ResolvedHost } from '../../config/types.js';
import type { RenderedFile } from '../rendered-file.js';
import {
  balancedOn,
  HAPROXY_CONFIG,
  HAPROXY_UNIT_FILE,
  HAPROXY_UNIT_PATH,
  haproxyConfig,
} from './haproxy.js';
import {
  KEEPALIVED_CHECK,
  KEEPALIVED_CONFIG,
  KEEPALIVED_UNIT_FILE,
  KEEPALIVED_UNIT_PATH,
  keepalivedCheck,
  keepalivedConfig,
  virtualOn,
} from './keepalived.js';

/** Every file that an endpoint can put on a host. */
export const HAPROXY_FILES = [HAPROXY_UNIT_PATH, HAPROXY_CONFIG];
export const KEEPALIVED_FILES = [KEEPALIVED_UNIT_PATH, KEEPALIVED_CHECK, KEEPALIVED_CONFIG];

export interface EndpointSurroundings {
  /** Interface with the control plane's own address; default `eth0`. */
  networkInterface?: string;
}

/** The files of the host's part in the endpoint; none where it has no part. */
export function endpointFiles(
  config: ClusterConfig,
  host: ResolvedHost,
  options: EndpointSurroundings = {},
): Map<string, RenderedFile> {
  const files = new Map<string, RenderedFile>();
  const balanced = balancedOn(config, host);
  if (balanced !== null) {
    files.set(HAPROXY_UNIT_PATH, { content: HAPROXY_UNIT_FILE, mode: 0o644 });
    files.set(HAPROXY_CONFIG, { content: haproxyConfig(config, host, balanced), mode: 0o644 });
  }
  const virtual = virtualOn(config, host);
  if (virtual !== null) {
    const networkInterface = virtual.interface ?? options.networkInterface ?? 'eth0';
    files.set(KEEPALIVED_UNIT_PATH, { content: KEEPALIVED_UNIT_FILE, mode: 0o644 });
    files.set(KEEPALIVED_CHECK, { content: keepalivedCheck(virtual), mode: 0o755 });
    const text = keepalivedConfig(config, host, virtual, networkInterface);
    files.set(KEEPALIVED_CONFIG, { content: text, mode: 0o644 });
  }
  return files;
}
