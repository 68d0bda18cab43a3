/* How long a run has taken: ticking while it goes on, also where no event comes, or it would seem to hang. */
import { useEffect, useState } from 'react';
import type { Schemas } from '../../api/client';
import { useFormats } from '../../i18n/useFormats';
import { follow } from '../../live/elapsed';

export function Elapsed({ run }: { run: Pick<Schemas['Run'], 'seconds' | 'finished_at'> }) {
  const formats = useFormats();
  const { seconds } = run;
  const goes_on = seconds !== null && run.finished_at === null;
  const [ticked, setTicked] = useState<{ from: number; seconds: number } | null>(null);
  useEffect(
    () => (goes_on ? follow(seconds, (now) => setTicked({ from: seconds, seconds: now })) : undefined),
    [goes_on, seconds],
  );
  // What was counted on from an older answer is of no use once there is a newer one.
  return <>{formats.duration(goes_on && ticked?.from === seconds ? ticked.seconds : seconds)}</>;
}
