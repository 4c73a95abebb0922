import { statusOf } from '../cluster/client.js';
import type { Condition } from '../engine/wait.js';

/**
 * A look through an API server that may be young: for a moment it does not know yet what an admin without
 * system:masters may do, and answers 403. That is waited for as for anything else.
 */
export async function throughYoungApi(look: () => Promise<Condition>): Promise<Condition> {
  try {
    return await look();
  } catch (error) {
    if (statusOf(error) !== 403) throw error;
    return { met: false, state: 'the API server has not read its roles yet' };
  }
}
