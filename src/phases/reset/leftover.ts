import { SATISFIED, type Verdict } from '../../engine/phase.js';
import type { Change } from '../../engine/types.js';

/** A verdict of a reset: whatever is still there is drift from a host that has nothing. */
export function leftover(changes: readonly Change[]): Verdict {
  if (changes.length === 0) return SATISFIED;
  const reasons = changes.map((change) => ('reason' in change ? change.reason : change.summary));
  return { standing: 'drifted', reasons, changes: [...changes] };
}
