import { KeelsonError } from '../../errors/keelson-error.js';

/** A time of every day, in minutes since midnight of this machine's time; `to` may be on the next day. */
export interface MaintenanceWindow {
  from: number;
  to: number;
}

const DAY = 24 * 60;
const TIME = /^([01]\d|2[0-3]):([0-5]\d)$/;

/** @throws KeelsonError USAGE for what is not `22:00-04:00` */
export function parseWindow(text: string): MaintenanceWindow {
  const [from, to, ...rest] = text.split('-').map((time) => {
    const [, hours, minutes] = TIME.exec(time) ?? [];
    return hours === undefined ? undefined : Number(hours) * 60 + Number(minutes);
  });
  if (from === undefined || to === undefined || rest.length > 0 || from === to)
    throw new KeelsonError('USAGE', `--window: "${text}" is no time of the day`, {
      hint: 'write 22:00-04:00, in the time of this machine',
    });
  return { from, to };
}

export const windowText = ({ from, to }: MaintenanceWindow): string => `${clock(from)}-${clock(to)}`;

const clock = (minutes: number): string =>
  [Math.floor(minutes / 60), minutes % 60].map((part) => String(part).padStart(2, '0')).join(':');

/** Milliseconds until it opens; 0 while it is open. */
export function untilOpen({ from, to }: MaintenanceWindow, at: Date): number {
  const now = at.getHours() * 60 + at.getMinutes();
  const open = from < to ? now >= from && now < to : now >= from || now < to;
  if (open) return 0;
  const minutes = (from - now + DAY) % DAY;
  return minutes * 60_000 - at.getSeconds() * 1000 - at.getMilliseconds();
}
