/* Why runs of a pilot stand still or ended early: who paused or cancelled them, when and why; what made them fail, and when. */
import { useTranslation } from 'react-i18next';
import type { Schemas } from '../../api/client';
import { Note } from '../../components/Answer';
import { useSay } from '../../i18n/say';
import { useFormats } from '../../i18n/useFormats';

type Pilot = Pick<Schemas['Pilot'], 'halts' | 'num_runs'>;

/** The reasons in words; where they are not those of all runs, with the arms. */
export function useHaltWords() {
  const { t } = useTranslation();
  const say = useSay();
  const formats = useFormats();
  return (pilot: Pilot, state: Schemas['Halt']['state']): string[] =>
    pilot.halts
      .filter((halt) => halt.state === state)
      .map((halt) => {
        const why = say('reasons', halt.reason);
        const reason =
          halt.state === 'failed'
            ? t('ui.pilot.halt_failed', { at: formats.moment(halt.ended_at), reason: why })
            : why;
        if (halt.num_runs === pilot.num_runs) return reason;
        return t('ui.pilot.halt_of', { arms: formats.list(halt.arms), runs: halt.num_runs, reason });
      });
}

export function Halts({ pilot }: { pilot: Pilot }) {
  const words = useHaltWords();
  return (
    <>
      {words(pilot, 'paused').map((said) => (
        <Note key={said} tone="warn" icon="pause">
          {said}
        </Note>
      ))}
      {words(pilot, 'failed').map((said) => (
        <Note key={said} tone="bad" icon="warn">
          {said}
        </Note>
      ))}
      {words(pilot, 'cancelled').map((said) => (
        <Note key={said} tone="calm" icon="stop">
          {said}
        </Note>
      ))}
    </>
  );
}
