/* The step a site works at now, and for which run and pilot; or why it does nothing. */
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import type { Schemas } from '../../api/client';
import { useFormats } from '../../i18n/useFormats';

export function DoingNow({ site }: { site: Schemas['Site'] }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const doing = site.doing;
  if (!doing) {
    const { window, window_opens_at: opens } = site;
    const closed =
      opens && t('ui.sites.closed_until', { at: formats.inZones(opens, window?.time_zone ?? 'UTC') });
    // What a site does of which nothing is heard nobody knows.
    const idle = site.state === 'online' ? t('ui.sites.idle') : '–';
    return <span className="aw-soft">{closed || idle}</span>;
  }
  const words = t(`ui.step_kind.${doing.kind}`);
  return (
    <>
      {site.state === 'online' ? null : <span className="aw-sub">{t('ui.sites.doing_last')}</span>}
      {doing.run_id ? <Link to={`/runs/${doing.run_id}`}>{words}</Link> : words}
      {doing.run_id ? (
        <span className="aw-sub">
          {t('ui.sites.doing_where', { arm: doing.arm ?? '', round: doing.round })}
        </span>
      ) : null}
      <span className="aw-sub">
        <Link to={`/pilots/${doing.pilot_id}`}>{doing.pilot_title || doing.pilot_name}</Link>
      </span>
    </>
  );
}
