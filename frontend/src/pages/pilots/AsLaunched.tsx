/* Beside what shows a pilot as it was launched, once that has been changed: where to read what is in force. */
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { isAmended } from './amended';
import { useAmendments } from './useAmendments';
import { useFormats } from '../../i18n/useFormats';

export const AMENDMENTS = 'amendments';

/** `arm`: only where its settings were changed. */
export function AsLaunched({ pilot, arm }: { pilot: string; arm?: string }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const made = useAmendments(pilot).data?.items ?? [];
  if (!isAmended(made, arm)) return null;
  return (
    <p className="aw-soft aw-small aw-first">
      {t('ui.amend.as_launched')}
      {formats.space}
      {arm === undefined ? (
        <a href={`#${AMENDMENTS}`}>{t('ui.amend.title')}</a>
      ) : (
        <Link to={`/pilots/${pilot}#${AMENDMENTS}`}>{t('ui.amend.title')}</Link>
      )}
    </p>
  );
}
