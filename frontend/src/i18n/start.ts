/* Starts the one catalogue (locales/*.json, shared with Python) and keeps <html lang> true to it. */
import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import en from '../../../locales/en.json';
import ja from '../../../locales/ja.json';

export const LANGUAGES = ['en', 'ja'] as const;
export type Language = (typeof LANGUAGES)[number];
// React escapes; Python reads the same files and fills {name} too.
export const INTERPOLATION = { prefix: '{', suffix: '}', escapeValue: false };
const STORED = 'awase.language';

export function startI18n(): void {
  void i18next.use(initReactI18next).init({
    resources: { en: { translation: en }, ja: { translation: ja } },
    lng: preferred(),
    fallbackLng: 'en',
    supportedLngs: LANGUAGES,
    interpolation: INTERPOLATION,
    returnNull: false,
    initAsync: false,
  });
  i18next.services.formatter?.add('noun', noun);
  document.documentElement.lang = i18next.language;
  i18next.on('languageChanged', (language) => {
    document.documentElement.lang = language;
    remember(language);
  });
}

/** `{sites, noun(one: site; other: sites)}`: what follows a number; `say` of backend/text/catalogue.py chooses alike. */
export function noun(value: unknown, _: string | undefined, forms: { one?: string; other?: string }): string {
  return (String(value) === '1' ? forms.one : forms.other) ?? '';
}

function preferred(): Language {
  const asked = [stored(), ...navigator.languages].map((tag) => tag?.slice(0, 2));
  return LANGUAGES.find((known) => known === asked.find((tag) => tag === 'en' || tag === 'ja')) ?? 'en';
}

function stored(): string | null {
  try {
    return localStorage.getItem(STORED);
  } catch {
    return null; // a browser that forbids storage still gets its own language
  }
}

function remember(language: string): void {
  try {
    localStorage.setItem(STORED, language);
  } catch {
    /* see stored() */
  }
}
