/**
 * Lets at most `atOnce` pieces of work run; the rest wait, those of the lowest rank go first, and among equals
 * the one that came first.
 */
export function turns(atOnce: number): <T>(rank: number, work: () => Promise<T>) => Promise<T> {
  const waiting: { rank: number; go: () => void }[] = [];
  let running = 0;
  const next = () => {
    if (running >= atOnce) return;
    const best = waiting.reduce((least, entry) => Math.min(least, entry.rank), Number.POSITIVE_INFINITY);
    const index = waiting.findIndex((entry) => entry.rank === best);
    if (index < 0) return;
    running += 1;
    waiting.splice(index, 1)[0]?.go();
  };
  return async (rank, work) => {
    await new Promise<void>((go) => {
      waiting.push({ rank, go });
      // Everybody who arrives in this turn of the loop is ranked before anyone goes.
      setImmediate(next);
    });
    try {
      return await work();
    } finally {
      running -= 1;
      next();
    }
  };
}
