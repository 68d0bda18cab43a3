/* What a run that works waits for while its coordinator gives no sign of life: not for its sites. Pure. */
import type { Schemas, Text } from '../../api/client';

type Asked = Pick<Schemas['Run'], 'state' | 'rounds' | 'rounds_done'>;

/** `explain.run.<code>`; null: it does not wait for that. */
export function waitsForCoordinator(
  { state, rounds, rounds_done: done }: Asked,
  coordinator: Schemas['CoordinatorHealth'] | undefined,
): Text | null {
  const since = coordinator?.last_seen_at;
  if (state !== 'running' || !coordinator || coordinator.ok || !since) return null;
  const round = Math.min(done + 1, rounds);
  return {
    code: round === 0 ? 'coordinator_away_at_start' : 'coordinator_away',
    params: { since, round, rounds },
  };
}
