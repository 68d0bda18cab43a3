/* Beside the button that asks for a change: that a comparison ends with it, from which round on and for whom. */
import { useTranslation } from 'react-i18next';
import type { Schemas } from '../../api/client';
import { Note } from '../../components/Answer';
import { useFormats } from '../../i18n/useFormats';
import { amendmentOf, type AmendDraft, type Now } from './amendDraft';
import type { Present } from './amendNow';
import { comparisonEnd, judgedUpTo } from './comparisonEnd';

interface Props {
  pilot: Schemas['Pilot'];
  arms: readonly Schemas['ArmNow'][];
  made: readonly Schemas['PilotAmendment'][];
  draft: AmendDraft;
  now: Now;
  present: Present;
}

export function ComparisonEndNote({ pilot, arms, made, draft, now, present }: Props) {
  const { t } = useTranslation();
  const formats = useFormats();
  const control = pilot.spec.arms.find(({ method }) => method === 'local_only')?.name;
  // Where only the server can tell between two rounds, what is said holds for both.
  const isOfTrainingAlone = Object.keys(amendmentOf(draft, now).patch).join() === 'train';
  const soonest = isOfTrainingAlone ? present.nextRound : (present.firstFree ?? present.nextRound);
  const begins = draft.fromRound === '' ? soonest : draft.fromRound;
  const end = comparisonEnd(arms, control, made, draft, begins);
  return (
    <div role="status">
      {end ? (
        <Note tone="warn" icon="warn">
          {formats.sentences([
            t('ui.amend.ends', { arms: formats.list(end.arms), control, round: end.round }),
            end.round > 1 ? t('ui.amend.ends_for_all', { last: judgedUpTo(made, end.round) }) : null,
            end.isKeptByAll ? t('ui.amend.ends_unless') : null,
          ])}
        </Note>
      ) : null}
    </div>
  );
}
