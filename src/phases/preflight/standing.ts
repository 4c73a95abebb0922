import { JOURNAL_PATH } from '../../engine/journal.js';
import { quote } from '../../host/quote.js';
import type { ReadResult } from '../../host/types.js';
import { certificatePaths } from '../../pki/table.js';
import { KUBELET_CONF } from '../paths.js';
import type { Standing, Target } from './check.js';

/** True on hosts that keelson has worked on; a journal is written before the first change. */
export const HAS_JOURNAL = `[ -s ${JOURNAL_PATH} ]`;

/** Certificates only: nothing here is a secret. */
export function standingProbes({ config }: Target): Record<string, string> {
  const ca = certificatePaths(config.cluster, { baseName: 'ca' }).cert;
  return {
    journal: `${HAS_JOURNAL} && echo yes`,
    ca: `cat ${quote([ca])} 2>/dev/null`,
    kubelet: `[ -e ${KUBELET_CONF} ] || exit 1
sed -n 's/^ *certificate-authority-data: *//p' ${KUBELET_CONF}`,
  };
}

export function standingOf(seen: ReadResult): Standing {
  const { probes } = seen;
  const ca = probes.get('ca')?.stdout.trim() ?? '';
  const kubelet = probes.get('kubelet');
  return {
    journal: probes.get('journal')?.stdout.trim() === 'yes',
    ca: ca === '' ? null : ca,
    kubeletCa: kubelet?.code === 0 ? Buffer.from(kubelet.stdout, 'base64').toString('utf8').trim() : null,
  };
}

/**
 * Which hosts are members: the first control plane if keelson has worked there, and with it the hosts that keelson
 * has worked on or whose kubelet trusts the same CA; none that trusts another.
 */
export function members(standings: ReadonlyMap<string, Standing>, first: string): Set<string> {
  const own = standings.get(first);
  if (own?.journal !== true) return new Set();
  const { ca } = own;
  const belongs = ({ journal, kubeletCa }: Standing): boolean =>
    kubeletCa === null ? journal : ca !== null && (kubeletCa === ca || (journal && kubeletCa === ''));
  return new Set([...standings].filter(([, standing]) => belongs(standing)).map(([name]) => name));
}
