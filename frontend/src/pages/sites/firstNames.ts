/* Names of sites in a sentence: the first of many, and how many more there are. Pure. */
import type { TFunction } from 'i18next';
import type { Formats } from '../../i18n/formats';

const FIRST = 5;

export function firstNames(
  names: readonly string[],
  t: TFunction,
  formats: Pick<Formats, 'list' | 'number'>,
) {
  const more = names.length - FIRST;
  const first = names.slice(0, FIRST);
  return formats.list(more > 0 ? [...first, t('ui.sites.more', { number: formats.number(more) })] : first);
}
