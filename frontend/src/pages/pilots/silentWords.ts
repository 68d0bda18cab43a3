/* How long a run waits for a silent site, in the unit that people would say it in. Pure. */
export interface Length {
  unit: 'days' | 'hours' | 'minutes' | 'seconds';
  value: number;
}

/** In seconds where it is no whole number of minutes. */
export function lengthOf(minutes: number): Length {
  if (minutes % 1440 === 0) return { unit: 'days', value: minutes / 1440 };
  if (minutes % 60 === 0) return { unit: 'hours', value: minutes / 60 };
  if (Number.isInteger(minutes)) return { unit: 'minutes', value: minutes };
  return { unit: 'seconds', value: Math.round(minutes * 60) };
}

/** What stands beside a number of minutes; null: it says itself how long that is, or is none. */
export function toldBeside(minutes: number): Length | null {
  if (!(minutes > 0)) return null;
  const length = lengthOf(minutes);
  return length.unit === 'minutes' ? null : length;
}
