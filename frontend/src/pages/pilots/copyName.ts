/* What a copy of a pilot is called: a name that no pilot has yet. Counts up; a clock would name two alike. */
import { http } from '../../api/client';
import { all } from '../../api/useAll';

// A name has at most 63 characters (dimat/parts.py), some of them for the mark of a copy and its number.
const STEM_UP_TO = 50;

/** A free name for a copy of the pilot called `name`. Throws what keeps the names from being read. */
export async function copyName(name: string): Promise<string> {
  const stem = stemOf(name);
  const alike = await all((query) =>
    http.GET('/api/v1/pilots', { params: { query: { ...query, q: `${stem}-copy` } } }),
  );
  return freeName(stem, new Set(alike.items.map((pilot) => pilot.name)));
}

/** The copy of a copy is one more copy of the same. */
export function stemOf(name: string): string {
  return name.replace(/-copy(-\d+)?$/, '').slice(0, STEM_UP_TO);
}

export function freeName(stem: string, taken: ReadonlySet<string>): string {
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? `${stem}-copy` : `${stem}-copy-${number}`;
    if (!taken.has(name)) return name;
  }
}
