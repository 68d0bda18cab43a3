/* Names of sites in a sentence: the first of many, and of how many more one might have told. Pure. */
import type { TFunction } from 'i18next';
import type { Formats } from '../../i18n/formats';

const FIRST = 5;
interface Named {
  name: string;
  display_name: string | null;
}

export function firstNames(sites: readonly Named[], t: TFunction, formats: Pick<Formats, 'list' | 'number'>) {
  const names = sites.slice(0, FIRST).map((site) => site.display_name || site.name);
  const more = sites.length - names.length;
  return formats.list(more > 0 ? [...names, t('ui.sites.more', { number: formats.number(more) })] : names);
}
