import { createHash } from 'node:crypto';
import { inspectBundle } from '../../pki/inspect.js';
import type { SurveyItem } from '../../pki/survey/types.js';
import { certificateSurvey } from '../certs/check.js';
import type { Session } from '../session.js';
import type { Pairs } from './store.js';

/** How the survey names a certificate. */
function fingerprintOf(certPem: string): string {
  return createHash('sha256').update(inspectBundle(certPem, 'an authority')[0].x509.raw).digest('hex');
}

/**
 * What of all that is on hosts, in handshakes and in the API is still of the old authority alone: shown by somebody,
 * or trusted without the new one. One sentence each.
 */
export function ofTheOldAlone(items: readonly SurveyItem[], pairs: Pairs): string[] {
  const [old, fresh] = [fingerprintOf(pairs.old.certPem), fingerprintOf(pairs.fresh.certPem)];
  const has = (item: SurveyItem, print: string) =>
    item.certificates.some(({ fingerprint }) => fingerprint === print);
  return items
    .filter(({ known, source }) => known || source === 'object')
    .filter((item) =>
      item.part === 'leaf'
        ? item.certificates[0]?.signedBy === old
        : item.part !== 'key' && has(item, old) && !has(item, fresh),
    )
    .map(
      ({ host, place, name }) =>
        `${name} (${place}${host === '' ? '' : ` on ${host}`}) is of the old one alone`,
    );
}

/** Looks at everything. Reads only. */
export async function surveyOldAlone(session: Session, pairs: Pairs): Promise<string[]> {
  return ofTheOldAlone((await certificateSurvey(session, { warnDays: 0 })).items, pairs);
}
