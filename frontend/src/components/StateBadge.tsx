/* A state as icon and word: colour is never the only signal. */
import { useTranslation } from 'react-i18next';
import { Icon, type IconName } from './Icon';

type Tone = 'good' | 'busy' | 'warn' | 'bad' | 'calm';
export const STATES: Record<string, readonly [Tone, IconName]> = {
  online: ['good', 'check'],
  silent: ['warn', 'warn'],
  invited: ['calm', 'mail'],
  revoked: ['calm', 'stop'],
  draft: ['calm', 'draft'],
  launched: ['busy', 'run'],
  finished: ['good', 'check'],
  finished_in_part: ['warn', 'warn'],
  decided: ['good', 'check'],
  archived: ['calm', 'stop'],
  queued: ['calm', 'clock'],
  running: ['busy', 'busy'],
  pausing: ['warn', 'pause'],
  paused: ['warn', 'pause'],
  resuming: ['busy', 'busy'],
  cancelling: ['warn', 'stop'],
  cancelled: ['calm', 'stop'],
  completed: ['good', 'check'],
  failed: ['bad', 'cross'],
  waiting: ['calm', 'clock'],
  waiting_own: ['calm', 'clock'],
  waiting_time: ['calm', 'clock'],
  waiting_arm: ['calm', 'clock'],
  waiting_run: ['calm', 'clock'],
  ready: ['calm', 'clock'],
  dispatched: ['calm', 'clock'],
  lost: ['warn', 'warn'],
  skipped: ['calm', 'skip'],
  asked: ['calm', 'clock'],
  in_force: ['good', 'check'],
  refused: ['bad', 'cross'],
  ...Object.fromEntries(
    ['preparing', 'adopting', 'aligning', 'evaluating', 'gathering', 'merging', 'training'].map(
      (doing) => [doing, ['busy', 'busy']] as const,
    ),
  ),
  done: ['good', 'check'],
  left: ['warn', 'skip'],
  apart: ['calm', 'skip'],
  stopped: ['calm', 'stop'],
  ok: ['good', 'check'],
  degraded: ['warn', 'warn'],
};

export function StateBadge({
  of,
  state,
}: {
  of: 'pilot' | 'run' | 'site' | 'step' | 'amendment' | 'doing';
  state: string;
}) {
  const { t } = useTranslation();
  const [tone, icon] = STATES[state] ?? ['calm', 'info'];
  return (
    <span className={`aw-badge aw-${tone}`}>
      <Icon name={icon} size={14} />
      {t(`states.${of}.${state}`)}
    </span>
  );
}

export function Tag({ tone, icon, children }: { tone: Tone; icon: IconName; children: React.ReactNode }) {
  return (
    <span className={`aw-badge aw-${tone}`}>
      <Icon name={icon} size={14} />
      {children}
    </span>
  );
}
