/** 36 of v1.36.3. */
export function minorOf(version: string): number {
  return Number(version.split('.')[1] ?? 0);
}
