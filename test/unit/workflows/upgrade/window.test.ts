import { describe, expect, it } from 'vitest';
import { parseWindow, untilOpen, windowText } from '../../../../src/workflows/upgrade/window.js';

const at = (hours: number, minutes: number, seconds = 0) => new Date(2026, 10, 23, hours, minutes, seconds);
const MINUTE = 60_000;

describe('a maintenance window', () => {
  it('is open from its first minute, and not in its last', () => {
    const window = parseWindow('09:00-17:30');
    expect(untilOpen(window, at(9, 0))).toBe(0);
    expect(untilOpen(window, at(17, 29, 59))).toBe(0);
    expect(untilOpen(window, at(17, 30))).toBe(15.5 * 60 * MINUTE);
  });

  it('may go over midnight', () => {
    const window = parseWindow('22:00-04:00');
    expect(untilOpen(window, at(23, 59))).toBe(0);
    expect(untilOpen(window, at(3, 59))).toBe(0);
    expect(untilOpen(window, at(4, 0))).toBe(18 * 60 * MINUTE);
    expect(untilOpen(window, at(21, 58, 30))).toBe(1.5 * MINUTE);
  });

  it('is said as it was written', () => {
    expect(windowText(parseWindow('22:05-04:00'))).toBe('22:05-04:00');
  });

  it.each(['22:00', '22:00-24:00', '9:00-10:00', '22:00-22:00', '22:00-23:00-24:00', 'night'])(
    'is refused as %s',
    (text) => {
      expect(() => parseWindow(text)).toThrow(expect.objectContaining({ code: 'USAGE' }));
    },
  );
});
