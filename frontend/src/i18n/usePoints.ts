import { useTranslation } from 'react-i18next';

/** The numbered sentences below a key, in order: [key, sentence]. */
export function usePoints(key: string): [string, string][] {
  const { t } = useTranslation();
  const found: unknown = t(key, { returnObjects: true });
  return typeof found === 'object' && found !== null ? Object.entries(found) : [];
}
