/* Until when a site's time window holds up a round that is due. Pure. */
import type { Text } from '../api/client';

/** When the window that a run waits for opens, where that is later than the round is due; null: it holds nothing up. */
export function heldUntil(progress: Text | undefined, at: string): string | null {
  const opens = progress?.code.startsWith('waiting_for_window') ? progress.params.opens : null;
  return typeof opens === 'string' && Date.parse(opens) > Date.parse(at) ? opens : null;
}
