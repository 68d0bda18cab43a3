/* Says `{code, params}` of the API in the reader's language: names of methods and states too. */
import { useTranslation } from 'react-i18next';
import type { Text } from '../api/client';

export type Section = 'events' | 'reasons' | 'progress' | 'steps' | 'roi' | 'summary' | 'errors' | 'audit';
type Param = string | number | boolean | null | undefined;

export function useSay() {
  const { t, i18n } = useTranslation();
  return (section: Section, text: Text): string => {
    const named = { ...text.params };
    // A step's kind, a cause and a role travel as their codes; people read their names.
    const kind = `ui.step_kind.${String(named.kind)}`;
    if (i18n.exists(kind)) named.kind = t(kind);
    const cause = `ui.cause.${String(named.cause)}`;
    if (i18n.exists(cause)) named.cause = t(cause);
    const role = `ui.role.${String(named.role)}`;
    if (i18n.exists(role)) named.role = t(role);
    const params = shown(named, i18n.language);
    const titled = `${section}.${text.code}.title`;
    const key = i18n.exists(titled) ? titled : `${section}.${text.code}`;
    return i18n.exists(key) ? t(key, params) : t('ui.unknown_text', { code: text.code });
  };
}

/** Values as people of a language read them: whole numbers grouped, others with at most four figures more. */
export function shown(params: Record<string, Param>, language: string): Record<string, string> {
  const number = new Intl.NumberFormat(language, { maximumFractionDigits: 4 });
  return Object.fromEntries(
    Object.entries(params).map(([name, value]) => [
      name,
      typeof value === 'number' ? number.format(value) : String(value ?? ''),
    ]),
  );
}
