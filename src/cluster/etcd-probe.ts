import type { HostReader } from '../host/types.js';
import { type ClientCredentials, tlsAgent } from './tls-agent.js';

/** What an etcd at a URL says to a client on a host. */
export interface EtcdAnswer {
  /** `3.6.8`; '' where it does not say. */
  version: string;
  healthy: boolean;
}

/**
 * Asks the etcd at `url` (https), as `host` sees it, for its version and its health: with TLS, by its name, with
 * the client certificate. Rejects with whatever went wrong.
 */
export async function probeEtcd(
  host: HostReader,
  url: string,
  credentials: ClientCredentials,
  signal: AbortSignal,
): Promise<EtcdAnswer> {
  const { hostname, port } = new URL(url);
  const address = hostname.replaceAll(/[[\]]/g, '');
  // URL leaves out the port that https has by default.
  const endpoint = { address, port: port === '' ? 443 : Number(port) };
  const agent = tlsAgent(host, endpoint, credentials, address);
  const get = async (path: string): Promise<Record<string, unknown>> => {
    const response = await agent.request({ origin: `https://${hostname}`, path, method: 'GET', signal });
    return JSON.parse(await response.body.text()) as Record<string, unknown>;
  };
  try {
    const version = await get('/version');
    const health = await get('/health');
    return { version: String(version.etcdserver ?? ''), healthy: health.health === 'true' };
  } finally {
    await agent.destroy();
  }
}
