import { describe, expect, it } from 'vitest';
import { NAME, placesOf, touching } from './places';

describe('the sites of a graph', () => {
  it.each([2, 3, 5, 8, 12, 30, 200])('do not touch, however many (%i)', (number) => {
    expect(touching(placesOf(number, true), NAME.narrow)).toBe(false);
    expect(touching(placesOf(number, false), NAME.wide)).toBe(false);
  });
  it('fit into the width of a phone without being made smaller, up to eight', () => {
    const right = Math.max(...placesOf(8, true).map((place) => place.x)) + NAME.narrow.width / 2;
    expect(2 * right).toBeLessThanOrEqual(328);
  });
});
