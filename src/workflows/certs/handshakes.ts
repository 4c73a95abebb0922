import { presentedChain } from '../../cluster/presented.js';
import type { ClusterConfig, ResolvedHost } from '../../config/types.js';
import { toKeelsonError } from '../../errors/keelson-error.js';
import type { HostReader } from '../../host/types.js';
import { servedOn } from '../../phases/served.js';
import { toPem } from '../../pki/pem.js';
import type { Presented } from '../../pki/survey/types.js';

/** What the programs of one host present, seen from that host. Never rejects, but for the signal. */
export async function presentedOn(
  config: ClusterConfig,
  host: ResolvedHost,
  reader: HostReader,
  signal: AbortSignal,
): Promise<Presented[]> {
  return Promise.all(
    servedOn(config, host).map(async ({ program, endpoint }): Promise<Presented> => {
      const { address, port } = endpoint;
      const place = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
      const base = { host: host.name, program, place };
      try {
        const chain = await presentedChain(reader, endpoint, signal);
        return { ...base, answer: { chain: chain.map((der) => toPem(der, 'CERTIFICATE')) } };
      } catch (error) {
        signal.throwIfAborted();
        return { ...base, answer: { failure: toKeelsonError(error).message } };
      }
    }),
  );
}
