/* Arms side by side, and what each means for each site: own-site beside all-site, always against the control. */
import { useState } from 'react';
import { Select } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import type { Schemas } from '../../api/client';
import { DataTable, type Column } from '../../components/DataTable';
import { Delta } from '../../components/Delta';
import { RoomyPanel } from '../../components/Page';
import { StateBadge, Tag } from '../../components/StateBadge';
import { useSay } from '../../i18n/say';
import { useFormats } from '../../i18n/useFormats';
import { MethodsSince } from '../runs/MethodsSince';
import { methodsSince } from './amended';
import { roundsOf, roundWords, siteWords, wastedWords } from './outcomeWords';
import { useAmendments } from './useAmendments';

type Arm = Schemas['ArmOutcome'];
/** So many sites that an arm went on without are named. */
const SITES_NAMED = 3;
type SiteOutcome = Schemas['SiteOutcome'];

/** After which round the arms stand side by side, where it is the same for all, and why it is no later one. */
export function SharedRound({ summary }: { summary: Schemas['PilotSummary'] }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const say = useSay();
  const wasted = wastedWords(summary.arms, formats).map(({ key, params }) => t(key, params));
  const said = [
    ...roundWords(summary.arms, summary.ended !== null).map(({ key, params }) => t(key, params)),
    ...(summary.ended ? [say('summary', summary.ended)] : []),
    t('ui.pilot.arms_spent'),
    ...(wasted.length > 0 ? [t('ui.pilot.arms_wasted', { arms: formats.settings(wasted) })] : []),
  ];
  return <>{formats.sentences([t('ui.pilot.arms_help'), ...said])}</>;
}

export function ArmsTable({ arms, pilot }: { arms: readonly Arm[]; pilot: string }) {
  const { t } = useTranslation();
  const amended = useAmendments(pilot).data?.items ?? [];
  const formats = useFormats();
  const rounds = roundsOf(arms);
  const mostSeeds = Math.max(...arms.map((arm) => arm.num_seeds));
  const columns: Column<Arm>[] = [
    {
      key: 'arm',
      label: t('ui.arm'),
      main: true,
      cell: (arm) => (
        <>
          {arm.arm}
          <span className="aw-sub">{t(`methods.${arm.method}`)}</span>
          <MethodsSince methods={methodsSince(amended, arm.arm)} />
          {arm.is_control ? (
            <Tag tone="calm" icon="info">
              {t('ui.pilot.control')}
            </Tag>
          ) : null}
        </>
      ),
    },
    {
      key: 'state',
      label: t('ui.state_label'),
      cell: (arm) => (
        <>
          <StateBadge of="run" state={arm.state} />
          {rounds.length > 1 && arm.round !== null ? (
            <span className="aw-sub">{t('ui.pilot.arm_round', { round: arm.round })}</span>
          ) : null}
          {arm.left_out.slice(0, SITES_NAMED).map((site) => (
            <span className="aw-sub" key={site.site}>
              {formats.settings([
                t(site.until_round === null ? 'ui.pilot.left_out' : 'ui.pilot.left_out_until', {
                  site: site.display_name,
                  round: site.from_round,
                  until: site.until_round,
                }),
                ...(site.times > 1 ? [t('ui.pilot.left_out_times', { times: site.times })] : []),
              ])}
            </span>
          ))}
          {arm.left_out.length > SITES_NAMED ? (
            <span className="aw-sub">
              {t('ui.pilot.left_out_more', { more: arm.left_out.length - SITES_NAMED })}
            </span>
          ) : null}
          {arm.num_seeds > 0 && arm.num_seeds < mostSeeds ? (
            <span className="aw-sub">
              {t('ui.pilot.over_seeds', { number: formats.number(arm.num_seeds) })}
            </span>
          ) : null}
        </>
      ),
    },
    {
      key: 'own',
      label: t('ui.run.own_site'),
      number: true,
      cell: (arm) => (
        <>
          <Value value={arm.own_site_mean} against={arm.is_control ? null : arm.own_site_vs_control} />
          {arm.mean_over !== null && arm.mean_over < arm.by_site.length ? (
            <span className="aw-sub">
              {t('ui.pilot.mean_over', { over: arm.mean_over, sites: arm.by_site.length })}
            </span>
          ) : null}
          {arm.against && arm.against.num_sites < (arm.mean_over ?? 0) ? (
            <span className="aw-sub">
              {t('ui.pilot.difference_over', { over: arm.against.num_sites, sites: arm.by_site.length })}
            </span>
          ) : null}
        </>
      ),
    },
    {
      key: 'all',
      label: t('ui.run.all_site'),
      number: true,
      cell: (arm) => (
        <Value value={arm.all_site_mean} against={arm.is_control ? null : arm.all_site_vs_control} />
      ),
    },
    {
      key: 'sites',
      label: t('ui.pilot.gain_lose'),
      cell: (arm) =>
        arm.is_control || arm.sites_gaining === null
          ? '–'
          : t('ui.pilot.gain_lose_value', {
              gaining: formats.number(arm.sites_gaining),
              losing: formats.number(arm.sites_losing),
            }),
    },
    {
      key: 'bytes',
      label: t('ui.run.exchanged'),
      number: true,
      cell: (arm) => formats.bytes(arm.bytes_exchanged),
    },
    { key: 'busy', label: t('ui.pilot.busy'), number: true, cell: (arm) => formats.duration(arm.busy_s) },
  ];
  return <DataTable caption={t('ui.pilot.arms')} columns={columns} rows={arms} rowKey={(arm) => arm.arm} />;
}

export function SitesTable({ arms }: { arms: readonly Arm[] }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const others = arms.filter((arm) => !arm.is_control && arm.by_site.length > 0);
  const [chosen, setChosen] = useState<string | null>(null);
  const arm = others.find((one) => one.arm === chosen) ?? best(others);
  if (!arm) return null;
  const columns: Column<SiteOutcome>[] = [
    { key: 'site', label: t('ui.sites.site'), main: true, cell: (site) => site.display_name || site.site },
    {
      key: 'own',
      label: t('ui.run.own_site'),
      number: true,
      cell: (site) => <Value value={site.own_site} against={site.own_site_vs_control} />,
    },
    {
      key: 'all',
      label: t('ui.run.all_site'),
      number: true,
      cell: (site) => <Value value={site.all_site} against={site.all_site_vs_control} />,
    },
  ];
  return (
    <RoomyPanel
      title={t('ui.pilot.by_site')}
      count={arm.by_site.length}
      aside={
        <Select
          size="xs"
          aria-label={t('ui.pilot.by_site_arm')}
          data={others.map((one) => one.arm)}
          value={arm.arm}
          onChange={setChosen}
        />
      }
    >
      <p className="aw-soft aw-small">
        {formats.sentences(siteWords(arm).map(({ key, params }) => t(key, params)))}
      </p>
      <DataTable
        caption={t('ui.pilot.by_site')}
        columns={columns}
        rows={arm.by_site}
        rowKey={(site) => site.site}
      />
    </RoomyPanel>
  );
}

function Value({ value, against }: { value: number | null; against: number | null }) {
  const formats = useFormats();
  return (
    <div className="aw-value">
      <span>{formats.percent(value)}</span>
      <Delta value={against} />
    </div>
  );
}

function best(arms: readonly Arm[]): Arm | undefined {
  const worth = (arm: Arm) => arm.all_site_vs_control ?? arm.own_site_vs_control ?? -Infinity;
  return [...arms].sort((a, b) => worth(b) - worth(a))[0];
}
