/** What can be wrong with a file of the PKI. */
export type FindingCode =
  | 'unreadable'
  | 'certificate-missing'
  | 'key-missing'
  | 'key-differs'
  | 'not-an-authority'
  | 'several-certificates'
  | 'authority-missing'
  | 'authority-differs'
  | 'authority-external'
  | 'expired'
  | 'not-yet-valid'
  | 'usages-lacking'
  | 'sans-lacking'
  | 'subject-differs'
  | 'server-differs';

export interface Finding {
  code: FindingCode;
  /** The file that the finding is about. */
  path: string;
  message: string;
  /** What the user can do, as one imperative sentence. */
  remedy: string;
  /** Warnings don't keep the file from being used. */
  severity: 'error' | 'warning';
}

/** A finding; an error unless said otherwise. */
export function finding(
  code: FindingCode,
  path: string,
  message: string,
  remedy: string,
  severity: Finding['severity'] = 'error',
): Finding {
  return { code, path, message, remedy, severity };
}

export function isError(item: Finding): boolean {
  return item.severity === 'error';
}
