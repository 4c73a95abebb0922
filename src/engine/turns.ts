/**
 * Lets at most `atOnce` pieces of work run; the rest wait in the order in which they came. `leaders` pieces,
 * whose `leads` is true, are what everything else waits for: until the last of them is done they go first, and
 * of the others only one begins, and only while none runs.
 */
export function turns(
  atOnce: number,
  leaders: number,
): <T>(leads: boolean, work: () => Promise<T>) => Promise<T> {
  const waiting: { leads: boolean; go: () => void }[] = [];
  let running = 0;
  let leadersLeft = leaders;
  const mayBegin = (leads: boolean) => running < (leads || leadersLeft === 0 ? atOnce : 1);
  const next = () => {
    const entry = waiting.find(({ leads }) => leads) ?? waiting[0];
    if (entry === undefined || !mayBegin(entry.leads)) return;
    running += 1;
    waiting.splice(waiting.indexOf(entry), 1);
    entry.go();
    next();
  };
  return async (leads, work) => {
    await new Promise<void>((go) => {
      waiting.push({ leads, go });
      // Everybody who arrives in this turn of the loop is ranked before anyone goes.
      setImmediate(next);
    });
    try {
      return await work();
    } finally {
      running -= 1;
      if (leads) leadersLeft -= 1;
      next();
    }
  };
}
