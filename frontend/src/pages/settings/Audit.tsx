/* Who did what to which thing, newest first. */
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { api, type Schemas } from '../../api/client';
import { Answer } from '../../components/Answer';
import { DataTable, type Column } from '../../components/DataTable';
import { LoadMore } from '../../components/LoadMore';
import { RoomyPanel } from '../../components/Page';
import { useSay } from '../../i18n/say';
import type { Params } from '../../i18n/named';
import { useFormats } from '../../i18n/useFormats';
import { MONEY_FIELDS } from '../pilots/pilotFields';
import { changedWords } from '../pilots/settingWords';
import { changesOf } from './changes';

export function Audit() {
  const { t } = useTranslation();
  const formats = useFormats();
  const say = useSay();
  const audit = api.useInfiniteQuery(
    'get',
    '/api/v1/audit',
    { params: { query: { limit: 20 } } },
    { pageParamName: 'cursor', initialPageParam: null, getNextPageParam: (page) => page.next_cursor },
  );
  const columns: Column<Schemas['AuditEntry']>[] = [
    {
      key: 'what',
      label: t('ui.settings.audit_what'),
      main: true,
      cell: (entry) => (
        <>
          {say('audit', {
            code: entry.action,
            params: { name: entry.thing_id, ...entry.params },
          })}
          {entry.action === 'pilot_amended' ? (
            <Amended params={entry.params} />
          ) : (
            <Changed params={entry.params} />
          )}
          {entry.params['why'] ? (
            <span className="aw-sub">{t('ui.settings.audit_why', { why: entry.params['why'] })}</span>
          ) : null}
          {entry.thing_kind === 'run' ? (
            <Link className="aw-sub" to={`/runs/${entry.thing_id}`}>
              {t('ui.settings.audit_run')}
            </Link>
          ) : null}
        </>
      ),
    },
    { key: 'who', label: t('ui.settings.audit_who'), cell: (entry) => entry.actor_name },
    {
      key: 'at',
      label: t('ui.settings.audit_at'),
      cell: (entry) => <span className="aw-nums">{formats.moment(entry.at)}</span>,
    },
  ];
  return (
    <RoomyPanel title={t('ui.settings.audit')} count={audit.data?.pages[0]?.total}>
      <p className="aw-soft aw-small">{t('ui.settings.audit_help')}</p>
      <Answer query={audit}>
        {({ pages }) => (
          <>
            <DataTable
              caption={t('ui.settings.audit')}
              columns={columns}
              rows={pages.flatMap((page) => page.items)}
              rowKey={(entry) => String(entry.id)}
            />
            <LoadMore query={audit} />
          </>
        )}
      </Answer>
    </RoomyPanel>
  );
}

/** Of which arm, and what; entries from before this was kept say neither. */
function Amended({ params }: { params: Params }) {
  const { t } = useTranslation();
  const words = changedWords(params, t);
  if (words.length === 0) return null;
  return (
    <ul className="aw-changes">
      <li>{t('amendments.set', { name: t('ui.arm'), value: params['arm'] ?? t('amendments.every_arm') })}</li>
      {words.map((word) => (
        <li key={word}>{word}</li>
      ))}
    </ul>
  );
}

/** Old and new of each value that was changed. */
function Changed({ params }: { params: Params }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const changes = changesOf(params);
  if (changes.length === 0) return null;
  const label = (name: string) => {
    const field = MONEY_FIELDS.find(({ path }) => path === `assumptions.${name}`);
    return field ? t(field.label) : name === 'example' ? t('ui.settings.audit_example') : name;
  };
  const value = (name: string, given: string) => {
    const [basis = '', share] = given.split(' ');
    if (name === 'example') return t(given === 'True' ? 'ui.yes' : 'ui.no');
    if (name === 'value_basis') {
      return t(`figures.basis_${basis}`) + (share ? ` (${formats.percent(Number(share))})` : '');
    }
    return name === 'currency' ? given : formats.number(Number(given), 6);
  };
  return (
    <ul className="aw-changes">
      {changes.map(({ name, before, after }) => (
        <li key={name}>
          <span className="aw-soft">{label(name)}</span>{' '}
          {before === null
            ? value(name, after)
            : t('ui.settings.audit_change', { before: value(name, before), after: value(name, after) })}
        </li>
      ))}
    </ul>
  );
}
