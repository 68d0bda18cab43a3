/* Which entry of a list a typed text means. Pure. */
interface Entry {
  value: string;
  label: string;
}

/** Those whose names hold the text; that one alone whose name it is. */
export function fitting(entries: readonly Entry[], text: string): Entry[] {
  const typed = text.trim().toLowerCase();
  const found = entries.filter(({ label }) => label.toLowerCase().includes(typed));
  const exact = found.find(({ label }) => label.toLowerCase() === typed);
  return exact ? [exact] : found;
}
