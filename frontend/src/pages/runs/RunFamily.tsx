/* Where a run comes from and what stands in its place, where somebody restarted it. */
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import type { Schemas } from '../../api/client';
import { Note } from '../../components/Answer';
import { useSay } from '../../i18n/say';
import { useFormats } from '../../i18n/useFormats';
import { inItsPlace } from './replaced';

export function RunFamily({ run }: { run: Schemas['Run'] }) {
  const { t } = useTranslation();
  const say = useSay();
  const formats = useFormats();
  const place = inItsPlace(run);
  return (
    <>
      {place ? (
        <Note icon="warn">
          {t('ui.run.replaced')}
          {formats.space}
          <Link to={`/runs/${place.counts}`}>{t('ui.run.to_replacing')}</Link>
          {place.next ? (
            <p>
              <Link to={`/runs/${place.next}`}>{t('ui.run.to_next')}</Link>
            </p>
          ) : null}
        </Note>
      ) : null}
      {run.parent_run_id ? (
        <Note icon="info">
          {run.restarted ? <p className="aw-first">{say('reasons', run.restarted)}</p> : null}
          {run.restarted ? t('ui.run.taken_over') : t('ui.run.goes_on', { round: run.from_round })}
          {formats.space}
          <Link to={`/runs/${run.parent_run_id}`}>{t('ui.run.to_parent')}</Link>
        </Note>
      ) : null}
    </>
  );
}
