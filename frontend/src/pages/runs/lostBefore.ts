/* Why the attempt before the one at work, or done, was lost: its reason says what is to come, and has come. Pure. */
import type { Schemas } from '../../api/client';

const BEGUN: ReadonlySet<string> = new Set(['running', 'completed']);

export function lostBefore(
  step: Pick<Schemas['Step'], 'state' | 'attempt' | 'reason'>,
): { attempt: number; cause: string } | null {
  if (!step.reason || !BEGUN.has(step.state)) return null;
  return { attempt: step.attempt - 1, cause: step.reason.code };
}
