/* What each input of the form of a pilot is called, its id, and the problem that is said at it. */
import { findings } from '../../api/problems';
import { asFields, type Fields } from '../../components/fields';
import type { PilotDraft } from './pilotDraft';
import { placed } from './pilotFields';

export function useFields(error: unknown, draft: PilotDraft, site?: (name: string) => string): Fields {
  return asFields(placed(findings(error, site), draft));
}
