/* Launches a draft as the page shows it, and no other. */
import { http, type Schemas } from '../../api/client';
import { isProblem } from '../../api/problems';

type Shown = Pick<Schemas['Pilot'], 'id' | 'revision'>;

/** Whether the draft was launched. False: somebody changed it since it was read, and nothing was launched. Throws
    every other problem. */
export async function launchPilot(shown: Shown, key: string): Promise<boolean> {
  const { error } = await http.POST('/api/v1/pilots/{pilot_id}/launch', {
    params: {
      path: { pilot_id: shown.id },
      header: { 'idempotency-key': key, 'If-Match': `W/"${shown.revision}"` },
    },
  });
  if (isProblem(error) && error.status === 412) return false;
  if (error) throw error;
  return true;
}
