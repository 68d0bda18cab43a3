/* What people call time zones: the browser knows, but takes a second for all of them. They are worked out once, when first wanted,
   and a few at a time, so that typing goes on. */
const LANGUAGES = ['en', 'ja'] as const;
const STYLES = ['long', 'short'] as const;
const AT_A_TIME = 8;

export type ZoneNames = ReadonlyMap<string, readonly string[]>;
const worked = new Map<string, Promise<ZoneNames>>();

export function zoneIds(...known: readonly string[]): string[] {
  return [...new Set(['UTC', ...known, ...Intl.supportedValuesOf('timeZone')])].sort();
}

/** Zone -> its names in both languages (日本標準時, JST, Japan Standard Time, GMT+9), the long one of this language first. */
export function zoneNames(language: string): Promise<ZoneNames> {
  const names = worked.get(language) ?? work(language);
  worked.set(language, names);
  return names;
}

async function work(language: string): Promise<ZoneNames> {
  const names = new Map<string, readonly string[]>();
  for (const [at, zone] of zoneIds().entries()) {
    if (at % AT_A_TIME === 0) await new Promise((go) => setTimeout(go));
    names.set(zone, namesOf(zone, language));
  }
  return names;
}

export function namesOf(zone: string, language: string): string[] {
  const ordered = [...LANGUAGES].sort((one, other) => Number(other === language) - Number(one === language));
  const names = ordered.flatMap((one) => STYLES.map((style) => nameOf(zone, one, style)));
  return [...new Set(names)].filter((name) => name !== zone);
}

function nameOf(timeZone: string, language: string, timeZoneName: 'long' | 'short'): string {
  const parts = new Intl.DateTimeFormat(language, { timeZone, timeZoneName }).formatToParts();
  return parts.find(({ type }) => type === 'timeZoneName')?.value ?? timeZone;
}
