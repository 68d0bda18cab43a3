/* What runs that work wait for while a part of the server is away: not for their sites. Pure. */
import type { Schemas, Text } from '../../api/client';

type Asked = Pick<Schemas['Run'], 'state' | 'rounds' | 'rounds_done'>;
type Health = Pick<Schemas['Health'], 'broker' | 'coordinator'>;
interface Part {
  code: 'broker_away' | 'coordinator_away';
  since: string;
}

/** null: nothing is away that was there before. */
export function partAway(health: Health | undefined): Part | null {
  if (!health) return null;
  const { broker, coordinator } = health;
  if (broker.away_since) return { code: 'broker_away', since: broker.away_since };
  const seen = coordinator.ok ? null : coordinator.last_seen_at;
  return seen ? { code: 'coordinator_away', since: seen } : null;
}

/** `explain.run.<code>`; null: it does not wait for that. */
export function waitsForServer(
  { state, rounds, rounds_done: done }: Asked,
  health: Health | undefined,
): Text | null {
  const away = partAway(health);
  if (state !== 'running' || !away) return null;
  const round = Math.min(done + 1, rounds);
  return {
    code: round === 0 ? `${away.code}_at_start` : away.code,
    params: { since: away.since, round, rounds },
  };
}
