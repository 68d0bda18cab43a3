import { describe, expect, it } from 'vitest';
import { areNumbered, NAME, NUMBER, placesOf, touching } from './places';

const sizeOf = (number: number, narrow: boolean) =>
  (areNumbered(number, narrow) ? NUMBER : NAME)[narrow ? 'narrow' : 'wide'];

/** How much smaller than drawn the graph is shown in a frame, its margins left out. */
function scaleIn(frame: { width: number; height: number }, number: number, narrow: boolean): number {
  const places = placesOf(number, narrow);
  const size = sizeOf(number, narrow);
  const across = 2 * Math.max(...places.map((place) => Math.abs(place.x))) + size.width;
  const down = 2 * Math.max(...places.map((place) => Math.abs(place.y))) + size.height;
  return Math.min(1, frame.width / across, frame.height / down);
}

describe('the sites of a graph', () => {
  it.each([2, 3, 5, 8, 9, 12, 13, 30, 200])('do not touch, however many (%i)', (number) => {
    for (const narrow of [true, false]) {
      expect(touching(placesOf(number, narrow), sizeOf(number, narrow))).toBe(false);
    }
  });
  it.each([8, 9, 13, 20])('can be read on a phone without being made smaller (%i)', (number) => {
    expect(scaleIn({ width: 330, height: 448 }, number, true)).toBe(1);
  });
  it.each([8, 10, 11, 13, 30])('can be read beside the facts on a wide page (%i)', (number) => {
    expect(scaleIn({ width: 575, height: 455 }, number, false)).toBeGreaterThan(0.65);
  });
});
