/* A difference in percentage points against the control arm: sign, arrow and word, not colour alone. */
import { useTranslation } from 'react-i18next';
import { useFormats } from '../i18n/useFormats';
import { Icon } from './Icon';

export function Delta({ value }: { value: number | null }) {
  const { t } = useTranslation();
  const formats = useFormats();
  if (value === null) return null;
  const direction = Math.abs(value) < 0.0005 ? 'same' : value > 0 ? 'up' : 'down';
  return (
    <span className={`aw-delta aw-delta-${direction}`}>
      <Icon name={direction} size={13} />
      {t('ui.points', { value: formats.points(value) })}
    </span>
  );
}
