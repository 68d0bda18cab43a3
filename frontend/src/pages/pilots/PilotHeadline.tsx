/* The card on top: the verdict, who gains and who loses against doing nothing, and how far to trust it. */
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { api, type Schemas } from '../../api/client';
import { Tag } from '../../components/StateBadge';
import { useSay } from '../../i18n/say';
import { useFormats } from '../../i18n/useFormats';
import { mergedSince, type MergedSince } from './mergedSince';
import { settingWords } from './settingWords';

const TONES = {
  none: ['calm', 'clock'],
  not_enough_evidence: ['warn', 'warn'],
  unclear: ['warn', 'info'],
  go: ['good', 'check'],
  stop: ['bad', 'cross'],
} as const;
const NEVER = ['calm', 'stop'] as const;

/** Verdicts about money: what they rest on is said beside them. */
const JUDGED: ReadonlySet<string> = new Set(['go', 'stop', 'unclear']);

export function PilotHeadline({
  pilotId,
  summary,
  children,
}: {
  pilotId: string;
  summary: Schemas['PilotSummary'];
  children?: ReactNode;
}) {
  const { t } = useTranslation();
  const formats = useFormats();
  const say = useSay();
  const roi = api.useQuery('get', '/api/v1/pilots/{pilot_id}/roi', {
    params: { path: { pilot_id: pilotId } },
  });
  const said = [summary.sentence, ...(summary.who ? [summary.who] : [])].map((text) => say('summary', text));
  const notes = [summary.training, summary.over, summary.ended, ...summary.left_out]
    .filter((text) => text !== null)
    .map((text) => say('summary', text));
  const isJudged = roi.data !== undefined && JUDGED.has(roi.data.verdict);
  const since = mergedSince(summary.arms, [
    summary.sentence.params.arm,
    isJudged ? roi.data.sentence.params.arm : undefined,
  ]);
  const enough = summary.evidence.code === 'evidence_seeds';
  return (
    <div className="aw-headline">
      {roi.data ? <Verdict report={roi.data} /> : null}
      {roi.data?.evidence.code === 'example_assumptions' ? (
        <p className="aw-small">{say('roi', roi.data.evidence)}</p>
      ) : null}
      {isJudged ? <p className="aw-small">{say('roi', roi.data.sentence)}</p> : null}
      <p className="aw-headline-text">{formats.sentences(said)}</p>
      {since.map((one) => (
        <Since key={one.arm} of={one} />
      ))}
      {notes.length > 0 ? <p className="aw-small">{formats.sentences(notes)}</p> : null}
      <div className="aw-headline-marks">
        <Tag tone={enough ? 'good' : 'warn'} icon={enough ? 'check' : 'warn'}>
          {say('summary', summary.evidence)}
        </Tag>
        {roi.data?.example ? (
          <Tag tone="warn" icon="warn">
            {t('ui.roi.example')}
          </Tag>
        ) : null}
        {summary.simulated ? (
          <Tag tone="calm" icon="info">
            {t('ui.pilot.simulated')}
          </Tag>
        ) : null}
      </div>
      <p className="aw-soft aw-small">{say('summary', summary.status)}</p>
      {children}
    </div>
  );
}

function Since({ of }: { of: MergedSince }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const changes = of.last.map(({ round, settings }) =>
    t('ui.pilot.amended_from', {
      round,
      settings: formats.settings(settings.map((setting) => settingWords(setting, t))),
    }),
  );
  const earlier = of.earlier > 0 ? [t('ui.pilot.amended_earlier', { number: of.earlier })] : [];
  return (
    <p className="aw-small">
      {t('ui.pilot.amended', { arm: of.arm, changes: formats.settings([...earlier, ...changes]) })}
    </p>
  );
}

function Verdict({ report }: { report: Schemas['RoiReport'] }) {
  const { t } = useTranslation();
  const { verdict, value_basis: basis } = report;
  const over = report.evidence.code === 'nothing_was_judged';
  const [tone, icon] = over ? NEVER : TONES[verdict];
  const word = t(`roi.verdicts.${over ? 'never' : verdict}`);
  const view = t(`ui.pilot.view_${typeof basis === 'string' ? basis : 'blend'}`);
  // A verdict about money is one of the view that was chosen; in the other it may be another.
  const said =
    basis !== null && JUDGED.has(verdict)
      ? t('ui.pilot.verdict_by', { verdict: word, view })
      : t('ui.pilot.verdict', { verdict: word });
  return (
    <p className="aw-verdict">
      <Tag tone={tone} icon={icon}>
        {verdict === 'none' ? word : said}
      </Tag>
    </p>
  );
}
