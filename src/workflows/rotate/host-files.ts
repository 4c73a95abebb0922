import type { FileSpec } from '../../host/types.js';
import { reissueHost } from '../../pki/rotation.js';
import type { AuthorityName } from '../../pki/table.js';
import { hostPki, type Run, trustAfter } from './run.js';
import type { Step } from './state.js';

/** What an authority and all that it signs have to be on a control plane after `step`. */
export async function authorityFiles(
  run: Run,
  host: string,
  authority: AuthorityName,
  step: Step,
): Promise<FileSpec[]> {
  const { context } = run.session;
  const files = await reissueHost({
    cluster: context.config.cluster,
    host: context.hostNamed(host),
    existing: await hostPki(run.session, host),
    authority,
    trust: trustAfter(run.pairs, step),
    context: { now: new Date(context.now()) },
  });
  return [...files].map(([path, file]) => ({ path, ...file }));
}
