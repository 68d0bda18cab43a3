/* ROI by own-site and by all-site accuracy side by side: which of them counts is a question for people. */
import { useTranslation } from 'react-i18next';
import type { Schemas } from '../../api/client';
import { DataTable, type Column } from '../../components/DataTable';
import { RoomyPanel } from '../../components/Page';
import { useFormats } from '../../i18n/useFormats';
import { useSay } from '../../i18n/say';

type ArmRoi = Schemas['ArmRoi'];

export function RoiBases({ roi }: { roi: Schemas['RoiReport'] }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const say = useSay();
  if (roi.currency === null || roi.bases.every((base) => base.arms.length === 0)) return null;
  const money = (amount: string) => formats.estimate(amount, roi.currency ?? '');
  const [round, ...others] = new Set(roi.bases.flatMap((base) => base.arms.map((arm) => arm.round)));
  const columns: Column<ArmRoi>[] = [
    {
      key: 'arm',
      label: t('ui.arm'),
      main: true,
      cell: (arm) => (
        <>
          {arm.arm}
          {others.length > 0 ? (
            <span className="aw-sub">{t('ui.roi.up_to', { round: arm.round })}</span>
          ) : null}
        </>
      ),
    },
    {
      key: 'net',
      label: t('ui.roi.net'),
      number: true,
      cell: (arm) => (
        <div className="aw-value">
          <span>{money(arm.net_at_end.likely)}</span>
          <span className="aw-sub">
            {t('ui.roi.range', { low: money(arm.net_at_end.low), high: money(arm.net_at_end.high) })}
          </span>
        </div>
      ),
    },
    { key: 'cost', label: t('ui.roi.cost'), number: true, cell: (arm) => money(arm.cost_so_far) },
    {
      key: 'roi',
      label: t('ui.roi.fraction'),
      number: true,
      cell: (arm) => formats.roughPercent(arm.roi_fraction),
    },
    {
      key: 'even',
      label: t('ui.roi.break_even'),
      cell: (arm) =>
        arm.break_even_round === null
          ? t('ui.roi.never')
          : t('ui.roi.in_round', { round: arm.break_even_round }),
    },
  ];
  return (
    <RoomyPanel title={t('ui.roi.title')} count={roi.bases[0]?.arms.length}>
      <p className="aw-soft aw-small">
        {formats.sentences([
          t('ui.roi.help'),
          others.length > 0 ? t('ui.roi.help_rounds') : t('ui.roi.help_round', { round }),
        ])}
      </p>
      {roi.example ? <p className="aw-small">{t('roi.example_note')}</p> : null}
      <div className="aw-stack">
        {roi.bases.map((base) => (
          <div key={base.basis}>
            <h3>{t(`figures.basis_${base.basis}`)}</h3>
            {base.reason ? (
              <p className="aw-soft">{say('roi', base.reason)}</p>
            ) : (
              <DataTable
                caption={t(`figures.basis_${base.basis}`)}
                columns={columns}
                rows={base.arms}
                rowKey={(arm) => arm.arm}
              />
            )}
          </div>
        ))}
      </div>
    </RoomyPanel>
  );
}
