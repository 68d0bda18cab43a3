/* What is shown while an answer is awaited, when it failed, and when it is empty. */
import { Button, Loader } from '@mantine/core';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { isStale, sayProblem } from '../api/problems';
import { Icon, type IconName } from './Icon';

interface Query<T> {
  data: T | undefined;
  error: unknown;
  isPending: boolean;
  refetch?: () => unknown;
}

/** The answer's content; older data stays visible when a later refetch fails. */
export function Answer<T>({ query, children }: { query: Query<T>; children: (data: T) => ReactNode }) {
  if (query.data !== undefined) return <>{children(query.data)}</>;
  if (query.isPending) return <Loading />;
  return <ProblemNote error={query.error} {...(query.refetch ? { retry: query.refetch } : {})} />;
}

export function Loading() {
  const { t } = useTranslation();
  return (
    <div className="aw-loading" role="status">
      <Loader size="sm" aria-hidden="true" />
      <span>{t('ui.loading')}</span>
    </div>
  );
}

export function ProblemNote({
  error,
  retry,
  also,
  site,
  reopen,
}: {
  error: unknown;
  retry?: () => unknown;
  also?: ReactNode;
  /** What people call a site. */
  site?: (name: string) => string;
  /** Of a form: shows what is stored now in place of its entries. Offered where somebody else changed it meanwhile. */
  reopen?: () => unknown;
}) {
  const { t } = useTranslation();
  const said = sayProblem(error, site);
  return (
    <div className="aw-note aw-bad aw-quiet-focus" role="alert" tabIndex={-1}>
      <Icon name="warn" />
      <div>
        <strong>{said.title}</strong>
        {said.remedy ? <p>{said.remedy}</p> : null}
        {also}
        {reopen && isStale(error) ? (
          <>
            <p>{t('ui.stale.text')}</p>
            <Button mt="xs" size="xs" variant="default" onClick={() => void reopen()}>
              {t('ui.stale.reopen')}
            </Button>
          </>
        ) : null}
        {retry ? (
          <Button mt="xs" size="xs" variant="default" onClick={() => void retry()}>
            {t('ui.retry')}
          </Button>
        ) : null}
      </div>
    </div>
  );
}

export function Note({
  tone = 'calm',
  icon = 'info',
  children,
}: {
  tone?: 'calm' | 'busy' | 'warn' | 'good' | 'bad';
  icon?: IconName;
  children: ReactNode;
}) {
  return (
    <div className={`aw-note aw-${tone}`}>
      <Icon name={icon} />
      <div>{children}</div>
    </div>
  );
}

export function Empty({
  icon,
  title,
  children,
  action,
}: {
  icon: IconName;
  title: string;
  children?: ReactNode;
  action?: ReactNode;
}) {
  return (
    <div className="aw-empty">
      <Icon name={icon} size={36} />
      <p className="aw-empty-title">{title}</p>
      {children ? <div className="aw-soft">{children}</div> : null}
      {action ? <div className="aw-actions">{action}</div> : null}
    </div>
  );
}
