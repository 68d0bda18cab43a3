/* The currencies that the browser knows, named in the page's language. Pure. */

// Those that most of our readers count in come first; the others follow by their codes.
const FIRST = ['JPY', 'USD', 'EUR', 'GBP', 'CNY'];

/** Choices for a select. `stored`: a code that must be among them, known or not; `unknown` says that it is not. */
export function currencies(
  language: string,
  stored: string,
  unknown: (code: string) => string,
): { value: string; label: string }[] {
  const names = new Intl.DisplayNames(language, { type: 'currency' });
  const known = Intl.supportedValuesOf('currency');
  const codes = [...FIRST, ...known.filter((code) => !FIRST.includes(code))];
  const choices = codes.map((code) => ({ value: code, label: `${code} – ${names.of(code) ?? code}` }));
  return stored === '' || codes.includes(stored)
    ? choices
    : [{ value: stored, label: unknown(stored) }, ...choices];
}
