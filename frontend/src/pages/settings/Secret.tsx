/* A secret that is shown once: it can be copied, and is gone with the page. */
import { Button, CopyButton } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Icon } from '../../components/Icon';

export function Secret({ text, secret }: { text: string; secret: string }) {
  const { t } = useTranslation();
  return (
    <div className="aw-note aw-good" role="status">
      <Icon name="check" />
      <div style={{ minWidth: 0 }}>
        <p>{text}</p>
        <code className="aw-secret">{secret}</code>
        <CopyButton value={secret}>
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
      </div>
    </div>
  );
}
