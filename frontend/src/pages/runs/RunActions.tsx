/* What a person may ask of a run: pause, resume, cancel, restart from a round; each with a question and room to say why. */
import { Button } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { http, type Schemas } from '../../api/client';
import { useMay, useRefresh } from '../../api/session';
import { Icon, type IconName } from '../../components/Icon';
import { useConfirm } from '../../components/useConfirm';
import { WhyField } from '../../components/WhyField';
import { RestartButton } from './RestartButton';

type Run = Schemas['Run'];
type Ask = 'pause' | 'resume' | 'cancel';
const POSSIBLE: Readonly<Record<Ask, ReadonlySet<string>>> = {
  pause: new Set(['queued', 'running', 'resuming']),
  resume: new Set(['pausing', 'paused']),
  cancel: new Set(['queued', 'running', 'pausing', 'paused', 'resuming']),
};
const ICONS: Readonly<Record<Ask, IconName>> = { pause: 'pause', resume: 'run', cancel: 'stop' };

export function RunActions({ run }: { run: Run }) {
  const may = { pause: useMay('runs.pause'), resume: useMay('runs.pause'), cancel: useMay('runs.cancel') };
  return (
    <>
      {(['pause', 'resume', 'cancel'] as const).map((ask) =>
        may[ask] && POSSIBLE[ask].has(run.state) ? <AskButton key={ask} run={run} ask={ask} /> : null,
      )}
      <RestartButton run={run} />
    </>
  );
}

function AskButton({ run, ask }: { run: Run; ask: Ask }) {
  const { t } = useTranslation();
  const refresh = useRefresh();
  const confirm = useConfirm();
  const why = useRef('');
  const act = async () => {
    const asked = { params: { path: { run_id: run.id } }, body: { why: why.current || null } };
    const { error } =
      ask === 'pause'
        ? await http.POST('/api/v1/runs/{run_id}/pause', asked)
        : ask === 'resume'
          ? await http.POST('/api/v1/runs/{run_id}/resume', asked)
          : await http.POST('/api/v1/runs/{run_id}/cancel', asked);
    if (error) throw error;
    notifications.show({ message: t(`ui.run.${ask}_asked`) });
    refresh('/api/v1/runs', '/api/v1/pilots');
  };
  const open = () => {
    why.current = '';
    confirm.ask({
      title: t(`ui.run.${ask}`),
      body: (
        <div className="aw-stack">
          <p className="aw-first">{t(`ui.run.${ask}_text`)}</p>
          <WhyField onChange={(said) => (why.current = said)} />
        </div>
      ),
      action: t(`ui.run.${ask}`),
      danger: ask === 'cancel',
      act,
    });
  };
  return (
    <>
      {confirm.dialog}
      <Button variant="default" leftSection={<Icon name={ICONS[ask]} size={16} />} onClick={open}>
        {t(`ui.run.${ask}`)}
      </Button>
    </>
  );
}
