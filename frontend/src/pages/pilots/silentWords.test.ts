import { describe, expect, it } from 'vitest';
import { lengthOf, toldBeside } from './silentWords';

describe('how long a run waits', () => {
  it.each([
    [10_080, 'days', 7],
    [120, 'hours', 2],
    [45, 'minutes', 45],
    [20 / 60, 'seconds', 20],
    [0.5, 'seconds', 30],
    [1.5, 'seconds', 90],
  ])('%d minutes are told in %s', (minutes, unit, value) => {
    expect(lengthOf(minutes)).toEqual({ unit, value });
  });
  it('stands beside the minutes where these do not say it', () => {
    expect(toldBeside(10_080)).toEqual({ unit: 'days', value: 7 });
    expect([toldBeside(45), toldBeside(0), toldBeside(Number.NaN)]).toEqual([null, null, null]);
  });
});
