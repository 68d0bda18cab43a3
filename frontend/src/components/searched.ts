/* Which entries of a list a typed text means. Pure. */
export interface Entry {
  value: string;
  label: string;
  /** Other names, by which it is found too. */
  also?: readonly string[];
}

// How a text is found in a name: it is the whole of it, begins a word, or stands somewhere.
const WHOLE = 0;
const WORD = 1;
const PART = 2;
const IN_WORD = /[\p{L}\p{N}]/u;

/** Those that hold the text, the likeliest first; among equals what is found by its own name, then as they were. */
export function fitting<E extends Entry>(entries: readonly E[], text: string): E[] {
  const typed = plain(text);
  return entries
    .map((entry) => ({
      entry,
      far: Math.min(...namesOf(entry).map((name, at) => far(name, typed) + (at && 0.5))),
    }))
    .filter(({ far }) => far < Infinity)
    .sort((one, other) => one.far - other.far)
    .map(({ entry }) => entry);
}

/** The one that a text means to whoever chose none: the only one that holds it, or the one whose name it is. */
export function meant<E extends Entry>(entries: readonly E[], text: string): E | undefined {
  const [first, second] = fitting(entries, text);
  return second === undefined || (first && plain(first.label) === plain(text)) ? first : undefined;
}

const namesOf = ({ label, also = [] }: Entry) => [label, ...also];

// As typed with either kind of keyboard: full-width letters are letters.
const plain = (text: string) => text.trim().normalize('NFKC').toLowerCase();

function far(name: string, typed: string): number {
  const text = plain(name);
  if (text === typed) return WHOLE;
  let at = text.indexOf(typed);
  if (at === -1) return Infinity;
  for (; at !== -1; at = text.indexOf(typed, at + 1)) {
    if (at === 0 || !IN_WORD.test(text.charAt(at - 1))) return WORD;
  }
  return PART;
}
