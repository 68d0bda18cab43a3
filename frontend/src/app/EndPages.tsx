import { Button } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Link, useRouteError } from 'react-router';
import { Empty } from '../components/Answer';
import { Page } from '../components/Page';

export function NotFoundPage() {
  const { t } = useTranslation();
  return (
    <Page title={t('ui.not_found.title')}>
      <Empty
        icon="info"
        title={t('ui.not_found.text')}
        action={
          <Button component={Link} to="/">
            {t('ui.not_found.home')}
          </Button>
        }
      />
    </Page>
  );
}

export function CrashPage() {
  const { t } = useTranslation();
  const error = useRouteError();
  return (
    <main className="aw-alone">
      <h1>{t('ui.crash.title')}</h1>
      <p>{t('ui.crash.text')}</p>
      <p className="aw-soft">{error instanceof Error ? error.message : null}</p>
      <Button onClick={() => window.location.reload()}>{t('ui.crash.reload')}</Button>
    </main>
  );
}
