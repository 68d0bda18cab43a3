/* A text to be used elsewhere, with a button that copies it. */
import { Button, CopyButton } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Icon } from './Icon';

export function Copyable({ text }: { text: string }) {
  const { t } = useTranslation();
  return (
    <>
      <code className="aw-secret">{text}</code>
      <CopyButton value={text}>
        {({ copied, copy }) => (
          <Button
            mt="xs"
            size="xs"
            variant="default"
            leftSection={<Icon name="copy" size={15} />}
            onClick={copy}
          >
            {t(copied ? 'ui.copied' : 'ui.copy')}
          </Button>
        )}
      </CopyButton>
    </>
  );
}
