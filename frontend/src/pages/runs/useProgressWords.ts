/* How far a run is, in words; while a part of the server is away, that it waits for that. */
import type { Schemas } from '../../api/client';
import { useHealth } from '../../api/session';
import { useSay } from '../../i18n/say';
import { waitsForServer } from './waitsForServer';

export function useProgressWords() {
  const say = useSay();
  const health = useHealth().data;
  return (run: Schemas['Run']): string => {
    const away = waitsForServer(run, health);
    return away ? say('explain.run', away) : say('progress', run.progress);
  };
}
