/* How far a run is, in words; of one that nobody coordinates just now, that it waits for that. */
import type { Schemas } from '../../api/client';
import { useHealth } from '../../api/session';
import { useSay } from '../../i18n/say';
import { waitsForCoordinator } from './waitsForCoordinator';

export function useProgressWords() {
  const say = useSay();
  const coordinator = useHealth().data?.coordinator;
  return (run: Schemas['Run']): string => {
    const unheard = waitsForCoordinator(run, coordinator);
    return unheard ? say('explain.run', unheard) : say('progress', run.progress);
  };
}
