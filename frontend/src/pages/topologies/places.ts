/* Where the sites of a graph stand: on an ellipse, in the order of the spec. Pure. */

export interface Place {
  x: number;
  y: number;
}
/** The room that a name takes, in pixels; longer names are cut (editor.css says the same). */
export const NAME = { wide: { width: 216, height: 44 }, narrow: { width: 126, height: 34 } };

/** Middles of `number` names that do not touch each other. On a phone the ellipse stands upright and fills the width,
    so that names need not be made smaller. */
export function placesOf(number: number, narrow: boolean): Place[] {
  const name = narrow ? NAME.narrow : NAME.wide;
  let [a, b] = narrow ? [100, 190] : [240, 220];
  for (;;) {
    const places = Array.from({ length: number }, (_, at) => {
      const angle = (2 * Math.PI * at) / number - Math.PI / 2;
      return { x: Math.cos(angle) * a, y: Math.sin(angle) * b };
    });
    if (!touching(places, name)) return places;
    // On a phone the height grows first: a page scrolls down, not sideways.
    b *= 1.1;
    if (!narrow || b > 3 * a) a *= 1.1;
  }
}

/** Whether any two names overlap. */
export function touching(places: readonly Place[], name: { width: number; height: number }): boolean {
  return places.some((one, at) =>
    places
      .slice(at + 1)
      .some((other) => Math.abs(one.x - other.x) < name.width && Math.abs(one.y - other.y) < name.height),
  );
}
