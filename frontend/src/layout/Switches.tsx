/* Language and theme: both act at once, without a reload, and are remembered by this browser. */
import { useMantineColorScheme } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Icon } from '../components/Icon';
import { LANGUAGES } from '../i18n/start';

const OWN_NAMES = { en: 'English', ja: '日本語' } as const;
const THEMES = [
  ['light', 'sun'],
  ['dark', 'moon'],
  ['auto', 'screen'],
] as const;

export function LanguageSwitch() {
  const { t, i18n } = useTranslation();
  return (
    <div className="aw-segments" role="group" aria-label={t('ui.language')}>
      {LANGUAGES.map((language) => (
        <button
          key={language}
          type="button"
          lang={language}
          aria-pressed={i18n.language === language}
          onClick={() => void i18n.changeLanguage(language)}
        >
          {OWN_NAMES[language]}
        </button>
      ))}
    </div>
  );
}

export function ThemeSwitch() {
  const { t } = useTranslation();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  return (
    <div className="aw-segments" role="group" aria-label={t('ui.theme.label')}>
      {THEMES.map(([name, icon]) => (
        <button
          key={name}
          type="button"
          aria-pressed={colorScheme === name}
          aria-label={t(`ui.theme.${name}`)}
          title={t(`ui.theme.${name}`)}
          onClick={() => setColorScheme(name)}
        >
          <Icon name={icon} size={16} />
        </button>
      ))}
    </div>
  );
}
