/* Where the sites of a graph stand and what stands at them: on an ellipse, in the order of the spec. Pure. */

export interface Place {
  x: number;
  y: number;
}
type Size = { width: number; height: number };

/** The room that a name takes, in pixels; longer names are cut (editor.css says the same). */
export const NAME = { wide: { width: 216, height: 44 }, narrow: { width: 126, height: 34 } };
/** The room that a number takes in their stead, with a gap to the next. */
export const NUMBER = { wide: { width: 42, height: 42 }, narrow: { width: 38, height: 38 } };
// More names than these would be too small to read in the frame of the graph.
const NAMES_UP_TO = { wide: 10, narrow: 8 };

/** Whether sites are numbered in the graph and named in a list below it. */
export function areNumbered(number: number, narrow: boolean): boolean {
  return number > (narrow ? NAMES_UP_TO.narrow : NAMES_UP_TO.wide);
}

/** Middles of `number` names or numbers that do not touch each other. On a phone the ellipse stands upright and fills
    the width, so that they need not be made smaller. */
export function placesOf(number: number, narrow: boolean): Place[] {
  const numbered = areNumbered(number, narrow);
  const size = (numbered ? NUMBER : NAME)[narrow ? 'narrow' : 'wide'];
  let [a, b] = narrow ? (numbered ? [138, 200] : [100, 190]) : [240, numbered ? 200 : 220];
  for (;;) {
    const places = Array.from({ length: number }, (_, at) => {
      const angle = (2 * Math.PI * at) / number - Math.PI / 2;
      return { x: Math.cos(angle) * a, y: Math.sin(angle) * b };
    });
    if (!touching(places, size)) return places;
    // Of names on a phone the height grows first: a page scrolls down, not sideways.
    b *= 1.1;
    if (numbered || !narrow || b > 3 * a) a *= 1.1;
  }
}

/** Whether any two of this size overlap. */
export function touching(places: readonly Place[], size: Size): boolean {
  return places.some((one, at) =>
    places
      .slice(at + 1)
      .some((other) => Math.abs(one.x - other.x) < size.width && Math.abs(one.y - other.y) < size.height),
  );
}
