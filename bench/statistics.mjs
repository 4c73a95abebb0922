/** Median, least and greatest of numbers; `round` to so many decimals. */
export function spread(values, round = 0) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  const fixed = (value) => Number(value.toFixed(round));
  return { median: fixed(median), min: fixed(sorted[0]), max: fixed(sorted.at(-1)) };
}
