/* Whether all parts of the server are there; which one is missing is said on click. */
import { Popover, UnstyledButton } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import type { Schemas } from '../api/client';
import { useHealth } from '../api/session';
import { Icon } from '../components/Icon';
import { useFormats } from '../i18n/useFormats';
import { useNow } from '../live/useNow';

const LOOKS = {
  ok: ['good', 'check'],
  starting: ['busy', 'clock'],
  degraded: ['warn', 'warn'],
  unreachable: ['bad', 'warn'],
} as const;

const PARTS = {
  ok: ['aw-text-good', 'check'],
  starting: ['aw-soft', 'clock'],
  bad: ['aw-text-bad', 'cross'],
  unknown: ['aw-soft', 'info'],
  silent: ['aw-soft', 'clock'],
} as const;

export function HealthMark() {
  const { t } = useTranslation();
  const health = useHealth();
  const state = health.error
    ? 'unreachable'
    : health.data?.starting
      ? 'starting'
      : (health.data?.status ?? 'ok');
  const [tone, icon] = LOOKS[state];
  return (
    <Popover position="bottom-end" width={320} shadow="md">
      <Popover.Target>
        <UnstyledButton className={`aw-badge aw-${tone} aw-health`} aria-label={t(`ui.health.${state}`)}>
          <Icon name={icon} size={14} />
          <span className="aw-wide">{t(`ui.health.${state}`)}</span>
        </UnstyledButton>
      </Popover.Target>
      <Popover.Dropdown>
        {health.data && !health.error ? (
          <Parts health={health.data} />
        ) : (
          <p>{t('ui.health.unreachable_text')}</p>
        )}
      </Popover.Dropdown>
    </Popover>
  );
}

function Parts({ health }: { health: Schemas['Health'] }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const now = useNow();
  const seen = (at: string | null) => (at ? t('ui.health.seen', { ago: formats.ago(at, now) }) : '');
  const found = (ok: boolean | null) =>
    ok ? 'ok' : health.starting ? 'starting' : ok === null ? 'unknown' : 'bad';
  const parts: [string, keyof typeof PARTS, string][] = [
    [t('ui.health.database'), found(health.database.ok), health.database.kind],
    [t('ui.health.broker'), found(health.broker.ok), ''],
    [t('ui.health.store'), found(health.store.ok), ''],
    [t('ui.health.coordinator'), found(health.coordinator.ok), seen(health.coordinator.last_seen_at)],
    ...health.workers.map((worker): [string, keyof typeof PARTS, string] => [
      t('ui.health.worker', { name: worker.hostname }),
      // A worker that has stopped is no missing part where another is at work: its sites are told as silent.
      worker.ok === false && health.status === 'ok' ? 'silent' : found(worker.ok),
      `${worker.device} · ${seen(worker.last_seen_at)}`,
    ]),
  ];
  return (
    <ul className="aw-parts">
      {parts.map(([name, state, note]) => (
        <li key={name}>
          <span className={PARTS[state][0]}>
            <Icon name={PARTS[state][1]} size={15} />
          </span>
          <span>
            {name}
            <span className="aw-visually-hidden">: {t(`ui.health.part_${state}`)}</span>
          </span>
          <span className="aw-soft">{note}</span>
        </li>
      ))}
      {health.workers.length === 0 ? <li className="aw-soft">{t('ui.health.no_worker')}</li> : null}
      <li className="aw-soft">{t('ui.health.version', { version: health.version })}</li>
    </ul>
  );
}
