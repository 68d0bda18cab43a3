/* The optional words with which somebody asks for something; they are shown beside who asked and when. */
import { TextInput } from '@mantine/core';
import { useTranslation } from 'react-i18next';

const UP_TO = 500;

export function WhyField({ onChange }: { onChange: (why: string) => void }) {
  const { t } = useTranslation();
  return (
    <TextInput
      label={t('ui.why')}
      description={t('ui.why_help')}
      maxLength={UP_TO}
      onChange={(event) => onChange(event.currentTarget.value)}
    />
  );
}
