/* Says `{code, params}` of the API in the reader's language: names of methods and states too. */
import type { i18n as I18n } from 'i18next';
import { useTranslation } from 'react-i18next';
import type { Text } from '../api/client';
import { formatsOf } from './formats';
import { named, type Param, type Params } from './named';

type Explained = 'explain.run' | 'explain.site' | 'explain.wait' | 'explain.then';
export type Section =
  | Explained
  | 'events'
  | 'reasons'
  | 'progress'
  | 'steps'
  | 'roi'
  | 'summary'
  | 'errors'
  | 'audit'
  | 'timetables';

export function useSay() {
  return sayIn(useTranslation().i18n);
}

export function sayIn(i18n: Pick<I18n, 'exists' | 't' | 'language'>) {
  const say = (section: Section, text: Text, site?: (name: string) => string): string => {
    const params = shown(named(text.code, text.params, i18n, site), i18n.language);
    const reason = reasonWithin(text);
    if (reason)
      return i18n.t(`${section}.${text.code}_because`, { ...params, because: say('reasons', reason, site) });
    const titled = `${section}.${text.code}.title`;
    const key = i18n.exists(titled) ? titled : `${section}.${text.code}`;
    return i18n.exists(key) ? i18n.t(key, params) : i18n.t('ui.unknown_text', { code: text.code });
  };
  return say;
}

/** The reason that a text of `because` tells: its values lie beside the text's own. */
function reasonWithin({ params }: Text): Text | null {
  return typeof params.because === 'string'
    ? { code: params.because, params: { ...params, because: null } }
    : null;
}

/** Values as people of a language read them: whole numbers grouped, others with at most four figures more. */
export function shown(params: Params, language: string): Record<string, string> {
  const { zone } = params;
  const number = new Intl.NumberFormat(language, { maximumFractionDigits: 4 });
  return Object.fromEntries(
    Object.entries(params).map(([name, value]) => [
      name,
      typeof value === 'number'
        ? number.format(value)
        : name === 'at'
          ? formatsOf(language).when(String(value ?? ''))
          : MOMENTS.has(name) && value !== null
            ? moment(String(value), zone, language)
            : listed(name, String(value ?? ''), language),
    ]),
  );
}

/** Values that are moments in ISO form; a text that names a `zone` speaks of a timetable or window in it. */
const MOMENTS = new Set(['since', 'until', 'due', 'opens']);
const LISTS = new Set(['waiting', 'known', 'missing', 'names', 'members', 'arms', 'sites', 'running']);

function moment(at: string, zone: Param, language: string): string {
  const formats = formatsOf(language);
  if (Number.isNaN(Date.parse(at))) return at;
  return typeof zone === 'string' ? formats.inZones(at, zone) : formats.instant(at);
}

/** Names in a row, as the server sends them; `_shown` of backend/text/catalogue.py does the same. Of who acted by a token, its name in
    the brackets of the script. */
function listed(name: string, value: string, language: string): string {
  if (language !== 'ja') return value;
  if (LISTS.has(name)) return value.replaceAll(', ', '、');
  return name === 'who' ? value.replace(/ \(([^()]*)\)$/, '（$1）') : value;
}
