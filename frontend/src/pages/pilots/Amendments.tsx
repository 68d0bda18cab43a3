/* What was changed while a pilot ran: what, from which round on, by whom and why; and the form for the next change. */
import { Button } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Schemas } from '../../api/client';
import { useMay } from '../../api/session';
import { Answer } from '../../components/Answer';
import { DataTable, type Column } from '../../components/DataTable';
import { Panel } from '../../components/Page';
import { StateBadge, Tag } from '../../components/StateBadge';
import { useSay } from '../../i18n/say';
import { useFormats } from '../../i18n/useFormats';
import { firstNames } from '../sites/firstNames';
import { useSiteNames } from '../sites/useSiteNames';
import { AmendForm } from './AmendForm';
import { courseOf } from './amended';
import { AMENDMENTS } from './AsLaunched';
import { judgedUpTo } from './comparisonEnd';
import { askedWords, fieldName, settingWords } from './settingWords';
import { useAmendments } from './useAmendments';

type Amendment = Schemas['PilotAmendment'];
const FIRST = 10;

export function Amendments({ pilot, busy }: { pilot: Schemas['Pilot']; busy: boolean }) {
  const { t } = useTranslation();
  const [changing, setChanging] = useState(false);
  const mayAmend = useMay('pilots.amend');
  const found = useAmendments(pilot.id);
  const canChange = mayAmend && busy && pilot.state === 'launched';
  if (!canChange && (found.data?.total ?? 0) === 0) return null;
  return (
    <Panel
      id={AMENDMENTS}
      title={t('ui.amend.title')}
      aside={
        canChange && !changing ? (
          <Button size="xs" variant="default" onClick={() => setChanging(true)}>
            {t('ui.amend.change')}
          </Button>
        ) : null
      }
    >
      <div className="aw-stack">
        {changing ? (
          <AmendForm pilot={pilot} made={found.data?.items ?? []} done={() => setChanging(false)} />
        ) : null}
        <Answer query={found}>
          {({ items }) =>
            items.length > 0 ? (
              <Listed items={items} withSeed={(pilot.spec.seeds?.length ?? 1) > 1} />
            ) : (
              <p className="aw-soft aw-small aw-first">{t('ui.amend.none')}</p>
            )
          }
        </Answer>
      </div>
    </Panel>
  );
}

function Listed({ items, withSeed }: { items: readonly Amendment[]; withSeed: boolean }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const columns: Column<Amendment>[] = [
    {
      key: 'what',
      label: t('ui.amend.what'),
      main: true,
      cell: (one) => <What of={one} judged={judgedUpTo(items)} />,
    },
    {
      key: 'round',
      label: t('ui.amend.from_round'),
      number: true,
      cell: (one) => formats.number(one.from_round ?? one.asked_round),
    },
    {
      key: 'who',
      label: t('ui.amend.who_why'),
      cell: (one) => (
        <>
          {one.why}
          <span className="aw-sub">{t('ui.amend.by', { who: one.by, when: formats.moment(one.at) })}</span>
        </>
      ),
    },
    {
      key: 'state',
      label: t('ui.state_label'),
      cell: (one) => <State of={one} withSeed={withSeed} />,
    },
  ];
  return (
    <DataTable
      caption={t('ui.amend.title')}
      columns={columns}
      rows={items}
      rowKey={(one) => one.id}
      first={FIRST}
    />
  );
}

/** Where some runs have got to its first round, those that have not are named: it is not in force in them. */
function State({ of, withSeed }: { of: Amendment; withSeed: boolean }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const course = courseOf(of);
  const named = (runs: Amendment['ahead']) =>
    formats.list(runs.map(({ arm, seed }) => (withSeed ? t('ui.amend.run', { arm, seed }) : arm)));
  if (course === 'never')
    return (
      <Tag tone="calm" icon="stop">
        {t('ui.amend.never')}
      </Tag>
    );
  return (
    <>
      {course === 'to_come' ? (
        <Tag tone="calm" icon="clock">
          {t('ui.amend.begins', { round: of.from_round })}
        </Tag>
      ) : (
        <StateBadge of="amendment" state={of.state} />
      )}
      {of.begun && of.ahead.length > 0 ? (
        <span className="aw-sub">{t('ui.amend.ahead', { runs: named(of.ahead), round: of.from_round })}</span>
      ) : null}
      {of.missed.length > 0 ? (
        <span className="aw-sub">{t('ui.amend.missed', { runs: named(of.missed) })}</span>
      ) : null}
    </>
  );
}

/** Sites that keep to fewer epochs than an amendment asks for. */
function Limited({ by }: { by: readonly Schemas['LimitedSite'][] }) {
  const { t } = useTranslation();
  const formats = useFormats();
  if (by.length === 0) return null;
  const said = by.map(({ display_name: site, epochs }) => t('ui.amend.site_epochs', { site, epochs }));
  return <span className="aw-sub">{t('ui.amend.limited', { sites: firstNames(said, t, formats) })}</span>;
}

/** The settings by arm, and below them what a reader of results must know. */
function What({ of, judged }: { of: Amendment; judged: number | null }) {
  const { t } = useTranslation();
  const say = useSay();
  const { shown } = useSiteNames();
  const formats = useFormats();
  return (
    <>
      {of.changes.map((change) => (
        <div key={`${String(change.round)} ${change.arms.join()}`}>
          {formats.sentences([
            change.round === (of.from_round ?? of.asked_round ?? 1)
              ? null
              : t('ui.amend.in_round', { round: change.round }),
            formats.settings(change.settings.map((setting) => settingWords(setting, t))),
          ])}
          <span className="aw-sub">{formats.list(change.arms)}</span>
          <Limited by={change.settings.flatMap((setting) => setting.limited)} />
        </div>
      ))}
      {of.changes.length === 0 && !of.reason ? <div>{t('ui.amend.nothing')}</div> : null}
      {of.changes.length === 0 || of.overruled.length > 0 ? (
        <span className="aw-sub">
          {t('ui.amend.asked_for', {
            settings: formats.settings(
              askedWords(of.patch, t, (names) => formats.list(names.map((name) => shown(name)))),
            ),
          })}
        </span>
      ) : null}
      {of.overruled.map((other) => (
        <span className="aw-sub" key={other.amendment_id + other.arms.join()}>
          {t('ui.amend.overruled', {
            arms: formats.list(other.arms),
            round: other.from_round,
            who: other.by,
            fields: formats.settings(other.fields.map((field) => fieldName(field, t))),
          })}
        </span>
      ))}
      {of.reason ? <span className="aw-sub">{say('errors', of.reason, shown)}</span> : null}
      {[...new Set(of.comparison_ends.map(({ round }) => round))].map((round) => (
        <span className="aw-sub" key={round}>
          {formats.sentences([
            t('ui.amend.comparison_ends', {
              arms: formats.list(
                of.comparison_ends.filter((end) => end.round === round).map(({ arm }) => arm),
              ),
              round,
            }),
            round > 1 ? t('ui.amend.ends_for_all', { last: judged }) : null,
          ])}
        </span>
      ))}
      {of.left_out.length > 0 ? (
        <span className="aw-sub">
          {t('ui.amend.left_out', {
            runs: formats.list(of.left_out.map(({ arm, seed }) => t('ui.amend.run', { arm, seed }))),
          })}
        </span>
      ) : null}
    </>
  );
}
