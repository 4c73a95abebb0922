import { type CertificateBook, certificatesIn } from './certificate.js';
import type { FoundCertificate, Presented, SurveyFinding, SurveyItem, TrustObject } from './types.js';

/** The file with what a program should present, by its name in the survey; of others it is not known. */
const FILES: Readonly<Record<string, string>> = {
  'kube-apiserver': 'apiserver',
  etcd: 'etcd-server',
  'etcd-peer': 'etcd-peer',
  kubelet: 'kubelet-server',
};

/** What programs present, beside what lies on their hosts' disks. */
export function presentedItem(
  presented: Presented,
  onDisk: readonly SurveyItem[],
  book: CertificateBook,
): SurveyItem {
  const { host, program, place, answer } = presented;
  const item = {
    host,
    source: 'handshake',
    place,
    name: program,
    part: 'leaf',
    known: true,
    keyMatches: null,
  } as const;
  if ('failure' in answer) {
    const message = `presents nothing: ${answer.failure}`;
    const remedy = 'see keelson status whether the program runs';
    return {
      ...item,
      certificates: [],
      findings: [{ code: 'no-answer', severity: 'warning', message, remedy }],
    };
  }
  const read = certificatesIn(answer.chain.join(''), place);
  if ('failure' in read) return { ...item, certificates: [], findings: [read.failure] };
  const certificates = read.infos.map(book.add);
  const file = onDisk.find(
    (candidate) => candidate.host === host && candidate.name === FILES[program] && candidate.part === 'leaf',
  );
  const [shown] = certificates;
  const [stored] = file?.certificates ?? [];
  const differs =
    file === undefined ||
    shown === undefined ||
    stored === undefined ||
    shown.fingerprint === stored.fingerprint
      ? []
      : [differing(shown, stored, file.place)];
  return { ...item, certificates, findings: differs };
}

function differing(shown: FoundCertificate, stored: FoundCertificate, path: string): SurveyFinding {
  const expired = shown.daysLeft < 0;
  const day = shown.notAfter.slice(0, 10);
  return {
    code: 'process-differs',
    severity: expired ? 'error' : 'warning',
    message: `presents serial ${shown.serial}, ${expired ? 'expired' : 'which expires'} ${day}, but ${path} has ${stored.serial}`,
    remedy: 'restart the program, which has not read the file again',
  };
}

/** Trust that lies in the API. */
export function trustItem(
  { place, name, pem, objects, known = true }: TrustObject,
  book: CertificateBook,
): SurveyItem {
  const read = certificatesIn(pem, place);
  return {
    host: '',
    source: 'object',
    place,
    name,
    part: 'trust',
    known,
    keyMatches: null,
    ...(objects === undefined ? {} : { objects }),
    ...('failure' in read
      ? {
          certificates: [],
          findings: [known ? read.failure : { ...read.failure, severity: 'warning' as const }],
        }
      : { certificates: read.infos.map(book.add), findings: [] }),
  };
}
