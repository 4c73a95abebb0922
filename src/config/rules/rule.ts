import type { Path } from '../problems.js';
import type { Documents, Kind } from '../schema/kinds.js';

/** Reports one problem at a path of a document. */
type Report = (
  kind: Kind,
  path: Path,
  message: string,
  options?: { at?: 'key' | 'value'; suggestion?: string | undefined },
) => void;

/**
 * A check across fields. Documents that are missing, or wrong by themselves, are undefined here.
 * `note` is for what is allowed and yet worth saying.
 */
export type Rule = (documents: Documents, report: Report, note: (text: string) => void) => void;
